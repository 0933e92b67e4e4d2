using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The indexes that a user wants for filters, one per field. The list has its own table, so that the indexes are recreated whenever the
/// table of records is. Each write pays for maintaining them.
/// </summary>
internal static class FieldIndexes
{
    /// <summary>The most fields of a table that may have an index.</summary>
    public const int Most = 16;

    private const string Table = "lockstep_index";
    private const string Prefix = "lockstep_by_";

    /// <summary>The indexed fields, in the order in which they were given.</summary>
    public static IReadOnlyList<string> Load(SqliteConnection connection)
    {
        var fields = new List<string>();
        if (!StageSql.TableExists(connection, Table))
            return fields;
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT field FROM {Table} ORDER BY rowid LIMIT {Most}";
        using var row = command.ExecuteReader();
        while (row.Read())
            fields.Add(row.GetString(0));
        return fields;
    }

    /// <summary>Indexes exactly these fields, in the caller's transaction.</summary>
    public static void Save(SqliteConnection connection, IReadOnlyCollection<string> fields)
    {
        foreach (var field in Load(connection).Except(fields))
            TableFile.Execute(connection, $"DROP INDEX IF EXISTS {TableView.Quote(Prefix + field)}");
        TableFile.Execute(connection, $"DROP TABLE IF EXISTS {Table}");
        if (fields.Count == 0)
            return;

        TableFile.Execute(connection, $"CREATE TABLE {Table}(field TEXT NOT NULL)");
        using var command = connection.CreateCommand();
        command.CommandText = $"INSERT INTO {Table} VALUES($field)";
        var parameter = command.Parameters.Add("$field", SqliteType.Text);
        foreach (var field in fields)
        {
            parameter.Value = field;
            command.ExecuteNonQuery();
        }

        Ensure(connection);
    }

    /// <summary>Creates missing indexes if the table has records, in the caller's transaction.</summary>
    public static void Ensure(SqliteConnection connection)
    {
        if (!StageSql.TableExists(connection, TableSchema.Rows))
            return;
        foreach (var field in Load(connection))
        {
            TableFile.Execute(
                connection,
                $"CREATE INDEX IF NOT EXISTS {TableView.Quote(Prefix + field)} ON "
                    + $"{TableSchema.Rows}({TableView.Value(field)}) WHERE gone = 0"
            );
        }
    }

    /// <summary>Checks the fields named by a user against those of the table.</summary>
    /// <exception cref="FieldIndexException">There are too many, one is not in the table, or it cannot be indexed.</exception>
    public static void Check(IReadOnlyCollection<string> fields, IReadOnlyList<string> known)
    {
        if (fields.Count > Most)
        {
            throw new FieldIndexException(
                "",
                $"{fields.Count} fields were given; at most {Most} may have an index.",
                "Name those that filters use most."
            );
        }

        foreach (var field in fields)
        {
            if (!TableView.HasPath(field))
            {
                throw new FieldIndexException(
                    field,
                    $"The field '{field}' cannot have an index: its name contains quotes, backslashes or control characters.",
                    "Name another field."
                );
            }

            if (known.Count > 0 && !known.Contains(field, StringComparer.Ordinal))
            {
                throw new FieldIndexException(
                    field,
                    $"The table has no field '{field}'.",
                    "Its fields are " + string.Join(", ", known.Take(20)) + (known.Count > 20 ? ", ..." : ".")
                );
            }
        }
    }
}
