using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The versions of the table file. A file of an earlier format can be read as it is, and is upgraded by its first writer; a file of a
/// later format is refused by name and left alone.
/// </summary>
/// <remarks>
/// Anything added to a file that an earlier Lockstep would lose or misread makes a new format: raise <see cref="Current"/>, add the
/// columns to <see cref="TableSchema.LaterColumns"/>, and keep a file created by the previous code in
/// <c>tests/Lockstep.Engine.Tests/Formats</c>.
/// <list type="bullet">
/// <item>1: the first one.</item>
/// <item>2: how the feed's bodies end, an owed whole set, the limit of a sweep, and where a first load resumes.</item>
/// </list>
/// </remarks>
internal static class TableFormat
{
    public const int Current = 2;

    /// <summary>Turns an empty file into a table.</summary>
    public static void Create(SqliteConnection connection, string name)
    {
        TableFile.Execute(
            connection,
            $"BEGIN IMMEDIATE; PRAGMA application_id={TableSchema.ApplicationId}; PRAGMA user_version={Current}; {TableSchema.Tables}"
        );
        using (var insert = connection.CreateCommand())
        {
            insert.CommandText = "INSERT INTO lockstep_table(name) VALUES($name)";
            insert.Parameters.AddWithValue("$name", name);
            insert.ExecuteNonQuery();
        }

        TableFile.Execute(connection, "COMMIT");
    }

    /// <summary>Upgrades a file of an earlier format, in one transaction. The caller holds the <see cref="WriterLock"/>.</summary>
    public static void Upgrade(SqliteConnection connection)
    {
        if (TableFile.Scalar(connection, "PRAGMA user_version") == Current)
            return;
        TableFile.Execute(connection, "BEGIN IMMEDIATE");
        foreach (var column in TableSchema.LaterColumns)
        {
            var name = column[..column.IndexOf(' ', StringComparison.Ordinal)];
            if (TableFile.Scalar(connection, $"SELECT count(*) FROM pragma_table_info('lockstep_table') WHERE name = '{name}'") == 0)
                TableFile.Execute(connection, $"ALTER TABLE lockstep_table ADD COLUMN {column}");
        }

        TableFile.Execute(connection, $"{TableSchema.QuarantineIndex}; PRAGMA user_version={Current}; COMMIT");
    }

    /// <summary>Checks that the file is a table in a format that this version knows.</summary>
    /// <exception cref="TableFileException">It is not.</exception>
    /// <exception cref="TableNotFoundException">It is empty.</exception>
    public static void Require(SqliteConnection connection, string path)
    {
        if (TableFile.Scalar(connection, "PRAGMA application_id") != TableSchema.ApplicationId)
        {
            // A first sync has only just created the file.
            if (TableFile.Scalar(connection, "PRAGMA page_count") == 0)
            {
                throw new TableNotFoundException(
                    path,
                    $"There is no table in '{path}': the file is empty.",
                    $"Create it with {Term.SyncToFile}, or name another file."
                );
            }

            throw new TableFileException(
                path,
                $"'{path}' is an SQLite database, but not a Lockstep table.",
                $"Name another file with {Term.Path}; Lockstep writes only to files of its own."
            );
        }

        var format = TableFile.Scalar(connection, "PRAGMA user_version");
        if (format > Current)
        {
            throw new TableFileException(
                path,
                $"'{path}' was written by a newer Lockstep (format {format}, this one reads up to {Current}). Nothing was changed in it.",
                $"Update Lockstep, or sync to a new file with {Term.Path}."
            );
        }

        // A table's name may disguise a view that never ends, or a virtual table.
        if (
            TableFile.Scalar(
                connection,
                "SELECT count(*) FROM sqlite_master WHERE name LIKE 'lockstep\\_%' ESCAPE '\\' "
                    + "AND (type = 'view' OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL%'))"
            ) > 0
        )
        {
            throw new TableFileException(
                path,
                $"'{path}' has views in place of its tables: Lockstep did not create it.",
                $"Name another file with {Term.Path}."
            );
        }
    }
}
