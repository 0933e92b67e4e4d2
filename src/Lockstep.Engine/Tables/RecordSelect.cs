using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>Translates a query into the statement that answers it.</summary>
internal sealed class RecordSelect(SqliteConnection connection, TableState state, RecordQuery query)
{
    public const int KeyColumn = 0;
    public const int SequenceColumn = 1;
    public const int GoneColumn = 2;
    public const int BodyColumn = 3;
    public const int BornColumn = 4;

    private const string KeyParameter = "@lockstep_key";
    private const string KeyListParameter = "@lockstep_key_list";

    /// <summary>SQLite allows 32,766 parameters; above this number, keys are passed as one list.</summary>
    private const int MostKeyParameters = 1000;

    private static readonly string[] ParameterPrefixes = ["@", ":", "$"];

    private ExactFilter? _exact;

    /// <summary>The statement, ready to step.</summary>
    public Statement Prepare()
    {
        var order = query.Since is null ? "lockstep_key" : "lockstep_seq";
        return Prepare(
            "lockstep_key, lockstep_seq, lockstep_gone, lockstep_body, lockstep_born",
            string.Create(CultureInfo.InvariantCulture, $" ORDER BY {order} LIMIT {query.First ?? -1} OFFSET {query.Skip}")
        );
    }

    /// <summary>The statement that counts what the query would read without its paging.</summary>
    public Statement PrepareCount() => Prepare("count(*)", "");

    private Statement Prepare(string columns, string ending)
    {
        var conditions = new List<string>();
        if (query.Since is { } since)
        {
            conditions.Add(string.Create(CultureInfo.InvariantCulture, $"lockstep_seq > {since}"));
        }
        else if (!query.IncludeDeleted)
        {
            conditions.Add("lockstep_gone = 0");
        }

        if (query.Keys is { } keys)
        {
            var names = Enumerable.Range(0, keys.Count).Select(i => KeyParameter + i.ToString(CultureInfo.InvariantCulture));
            var value = state.Shape!.KeyLayout == KeyLayout.Integer ? "value" : "unhex(value)";
            var list = keys.Count <= MostKeyParameters ? string.Join(", ", names) : $"SELECT {value} FROM json_each({KeyListParameter})";
            conditions.Add($"lockstep_key IN ({list})");
        }

        var indexed = query.Filter is null ? [] : FieldIndexes.Load(connection);
        var isIndexed = FindsByIndex(indexed);
        // The guard has ensured that this is a single expression; separate brackets let SQLite use an index.
        if (query.Filter is { } filter)
        {
            FilterGuard.RequireLength(filter);
            _exact = ExactFilter.Of(query, TableView.Names(state.Fields, state.Shape?.KeyFields), isIndexed);
            conditions.Add($"(({FilterGuard.Embed(_exact.Sql)}))");
        }

        // The table's own columns get longer names, so that a filter sees the fields under theirs.
        var fields =
            query.Filter is null || state.Fields.Count == 0
                ? ""
                : ", " + TableView.FilterColumns(state.Fields, state.Shape?.KeyFields, isIndexed ? indexed : []);
        var source =
            $"(SELECT key AS lockstep_key, seq AS lockstep_seq, gone AS lockstep_gone, body AS lockstep_body, born AS "
            + $"lockstep_born{fields} FROM {TableSchema.Rows})";
        var where = conditions.Count > 0 ? " WHERE " + string.Join(" AND ", conditions) : "";
        if (ending.Length > 0 && isIndexed)
        {
            // SQLite would rather read everything in key order than sort what an index finds; this way it sorts only the keys.
            where = $" WHERE lockstep_key IN (SELECT lockstep_key FROM {source}{where})";
        }

        var sql = $"SELECT {columns} FROM {source}{where}{ending}";
        _exact?.Comparer.Register(connection);

        var statement = query.Filter is null
            ? new Statement(connection, sql)
            : FilterGuard.Prepare(connection, sql, query.Filter, source, state.Fields);
        try
        {
            Bind(statement);
            return statement;
        }
        catch
        {
            statement.Dispose();
            throw;
        }
    }

    /// <summary>Whether an index may help the filter: it names a field that has one.</summary>
    private bool FindsByIndex(IReadOnlyList<string> indexed) =>
        query is { Filter: { } filter, Since: null, Keys: null }
        && indexed.Any(field => filter.Contains(field, StringComparison.OrdinalIgnoreCase));

    private void Bind(Statement statement)
    {
        var unused = new HashSet<string>(query.FilterParameters.Keys, StringComparer.Ordinal);
        unused.ExceptWith(_exact?.Written ?? []);
        foreach ((var index, var name) in statement.Parameters)
        {
            if (name.StartsWith(KeyParameter, StringComparison.Ordinal))
            {
                if (query.Filter?.Contains(KeyParameter, StringComparison.Ordinal) == true)
                {
                    throw new FilterException(
                        query.Filter,
                        $"The filter's parameter {name} has a name reserved by Lockstep.",
                        "Give it another name."
                    );
                }

                if (name == KeyListParameter)
                {
                    statement.BindText(index, KeyList(query.Keys!));
                    continue;
                }

                switch (ReadKey(query.Keys![int.Parse(name.AsSpan(KeyParameter.Length), CultureInfo.InvariantCulture)]))
                {
                    case long integer:
                        statement.Bind(index, integer);
                        break;
                    case byte[] encodedKey:
                        statement.BindBlob(index, encodedKey);
                        break;
                    default:
                        statement.BindNull(index);
                        break;
                }

                continue;
            }

            var plain = ParameterPrefixes.Contains(name[..1]) ? name[1..] : name;
            if (!query.FilterParameters.TryGetValue(plain, out var value))
            {
                throw new FilterException(
                    query.Filter ?? "",
                    $"The filter's parameter {name} has no value.",
                    $"Give it one with {Term.FilterParameter.For(plain)}."
                );
            }

            unused.Remove(plain);
            Bind(statement, index, plain, value);
        }

        if (unused.Count > 0)
        {
            throw new FilterException(
                query.Filter ?? "",
                $"The filter has no parameter :{unused.First()}.",
                $"Use it in {Term.Filter}, or leave it out of {Term.FilterParameter}."
            );
        }
    }

    private void Bind(Statement statement, int index, string name, object? value)
    {
        switch (value)
        {
            case null:
                statement.BindNull(index);
                break;
            case double or float:
                statement.Bind(index, Convert.ToDouble(value, CultureInfo.InvariantCulture));
                break;
            case var _ when FilterNumber.OfValue(value)?.Bindable is { } number:
                if (number is long integer)
                    statement.Bind(index, integer);
                else
                    statement.Bind(index, (double)number);
                break;
            case string or char:
                statement.BindText(index, Encoding.UTF8.GetBytes(value.ToString()!));
                break;
            default:
                throw new FilterException(
                    query.Filter ?? "",
                    $"The filter's parameter :{name} is neither text nor a number, true, false or null.",
                    "Give it as text or as a number."
                );
        }
    }

    /// <summary>The keys as a JSON array; encoded keys are hexadecimal text.</summary>
    private byte[] KeyList(IReadOnlyList<IReadOnlyList<object>> keys)
    {
        var list = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(list);
        json.WriteStartArray();
        foreach (var parts in keys)
        {
            var key = ReadKey(parts);
            if (key is long integer)
            {
                json.WriteNumberValue(integer);
            }
            else if (key is byte[] encoded)
            {
                json.WriteStringValue(Convert.ToHexString(encoded));
            }
        }

        json.WriteEndArray();
        json.Flush();
        return list.WrittenSpan.ToArray();
    }

    /// <summary>
    /// A key given by the user, converted with the types of the table's keys: a long or encoded bytes. Null if it cannot be a key, and so
    /// matches nothing.
    /// </summary>
    private object? ReadKey(IReadOnlyList<object> parts)
    {
        var shape = state.Shape!;
        if (parts.Count != shape.KeyFields.Count)
        {
            throw new FilterException(
                "",
                $"The key of '{state.Name}' has {shape.KeyFields.Count} parts, not {parts.Count}.",
                $"Give a value for each of {string.Join(", ", shape.KeyFields)}."
            );
        }

        var encoded = new ArrayBufferWriter<byte>();
        for (var i = 0; i < parts.Count; i++)
        {
            var text = Convert.ToString(parts[i], CultureInfo.InvariantCulture) ?? "";
            if (shape.KeyParts[i] == KeyPartKind.Text)
            {
                KeyEncoding.WriteText(encoded, Encoding.UTF8.GetBytes(text));
                continue;
            }

            var number = Encoding.UTF8.GetBytes(text.Trim());
            if (!JsonNumber.IsValid(number))
                return null;
            if (shape.KeyLayout == KeyLayout.Integer)
                return DecimalText.TryGetInt64(number, out var integer) ? integer : null;
            KeyEncoding.WriteNumber(encoded, number);
        }

        return encoded.WrittenSpan.ToArray();
    }
}
