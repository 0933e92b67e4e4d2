using System.Buffers;
using System.Globalization;
using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;
using NpgsqlTypes;

namespace Lockstep.Postgres.Tables;

/// <summary>A table that is kept in PostgreSQL, for reading. Any thread may call any of the members, and a sync goes on meanwhile.</summary>
public sealed class PostgresTable
{
    private readonly PostgresTableStore _store;
    private readonly int _table;

    internal PostgresTable(PostgresTableStore store, int table, string name) => (_store, _table, Name) = (store, table, name);

    /// <summary>The table's name.</summary>
    public string Name { get; }

    /// <summary>What is known of the table.</summary>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached.</exception>
    public TableInfo GetInfo()
    {
        using var connection = _store.Open();
        return _store.Guard(Name, () =>
        {
            var state = ReadState(connection);
            using var command = new NpgsqlCommand(
                $"SELECT pg_total_relation_size('{TableSql.Rows(_table)}'), (SELECT count(*) FROM lockstep_tables.lockstep_quarantine WHERE table_id = $1), "
                + $"(SELECT format('%s from %s', application_name, coalesce(host(client_addr), 'this machine')) FROM pg_stat_activity WHERE pid = (SELECT pid FROM pg_locks WHERE locktype = 'advisory' "
                + $"AND classid = {TableSql.LockClass.ToString(CultureInfo.InvariantCulture)}::bigint::oid AND objid = $1::bigint::oid AND objsubid = 2 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1))",
                connection);
            command.Parameters.Add(new NpgsqlParameter { Value = _table });
            using var row = command.ExecuteReader();
            row.Read();
            return TableInfo.From(_store.Description, state, row.GetInt64(1), row.GetInt64(0), row.IsDBNull(2) ? null : row.GetString(2));
        });
    }

    /// <summary>Opens a scan of records, as of one moment; dispose it.</summary>
    /// <param name="query">Which; a filter is not possible here.</param>
    /// <exception cref="FilterException">There is a filter, or a key has too few or too many parts.</exception>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached.</exception>
    public IRecordScan Read(RecordQuery? query = null)
    {
        var wanted = query ?? RecordQuery.All;
        if (wanted.Filter is { } filter)
            throw new FilterException(filter, "A filter is an expression of SQLite, and this table is kept in PostgreSQL.", "Read the records of -Key, or pick them with Where-Object.");
        var connection = _store.Open();
        try
        {
            return _store.Guard<IRecordScan>(Name, () =>
            {
                var state = ReadState(connection);
                if (state.Shape is not { } shape) return new Scan(_store, Name, connection, null, null);
                var command = new NpgsqlCommand(Sql(wanted, shape, out var keys), connection) { CommandTimeout = 0 };
                if (keys is not null) command.Parameters.Add(new NpgsqlParameter { Value = keys, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea });
                return new Scan(_store, Name, connection, command, command.ExecuteReader());
            });
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>How many records a query would read without its paging.</summary>
    /// <inheritdoc cref="Read"/>
    public long Count(RecordQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        long count = 0;
        using var scan = Read(query with { Skip = 0, First = null });
        while (scan.Read()) count++;
        return count;
    }

    private string Sql(RecordQuery query, RecordShape shape, out byte[][]? keys)
    {
        keys = query.Keys is { } given ? [.. given.Select(key => Encode(key, shape)).OfType<byte[]>()] : null;
        List<string> conditions = [];
        if (query.Since is { } since) conditions.Add(FormattableString.Invariant($"seq > {since}"));
        else if (!query.IncludeDeleted) conditions.Add("gone = 0");
        if (keys is not null) conditions.Add("key = ANY($1)");
        var where = conditions.Count > 0 ? " WHERE " + string.Join(" AND ", conditions) : "";
        var order = query.Since is null ? " ORDER BY key" : " ORDER BY seq";
        var limit = query.First is { } first ? FormattableString.Invariant($" LIMIT {first}") : "";
        return FormattableString.Invariant($"SELECT key, seq, gone, body FROM {TableSql.Rows(_table)}{where}{order}{limit} OFFSET {query.Skip}");
    }

    /// <summary>A key as the user gave it, by the types that the table's keys have; null for one that cannot be a key.</summary>
    private byte[]? Encode(IReadOnlyList<object> parts, RecordShape shape)
    {
        if (parts.Count != shape.KeyFields.Count)
            throw new FilterException("", $"The key of '{Name}' has {shape.KeyFields.Count} parts, not {parts.Count}.", $"Give a value for each of {string.Join(", ", shape.KeyFields)}.");
        var encoded = new ArrayBufferWriter<byte>();
        for (var i = 0; i < parts.Count; i++)
        {
            var text = Encoding.UTF8.GetBytes(Convert.ToString(parts[i], CultureInfo.InvariantCulture) ?? "");
            if (shape.KeyParts[i] == KeyPartKind.Text)
            {
                KeyEncoding.WriteText(encoded, text);
                continue;
            }

            if (!JsonNumber.IsValid(text.AsSpan().Trim((byte)' '))) return null;
            KeyEncoding.WriteNumber(encoded, text.AsSpan().Trim((byte)' '));
        }

        return encoded.WrittenSpan.ToArray();
    }

    private TableState ReadState(NpgsqlConnection connection)
    {
        using var command = new NpgsqlCommand($"SELECT state FROM {TableSql.Directory} WHERE id = $1", connection);
        command.Parameters.Add(new NpgsqlParameter { Value = _table });
        return StateJson.Read(Name, (string)command.ExecuteScalar()!);
    }

    private sealed class Scan(PostgresTableStore store, string table, NpgsqlConnection connection, NpgsqlCommand? command, NpgsqlDataReader? rows) : IRecordScan
    {
        private byte[] _json = [];

        public ReadOnlySpan<byte> Json => _json;

        public RecordKey Key => KeyEncoding.Read(rows!.GetFieldValue<byte[]>(0));

        public long Sequence => rows!.GetInt64(1);

        public bool IsDeleted => rows!.GetInt16(2) != 0;

        public bool Read() => rows is not null && store.Guard(table, () =>
        {
            if (!rows.Read()) return false;
            _json = rows.GetFieldValue<byte[]>(3);
            return true;
        });

        public void Dispose()
        {
            // A scan that is left early need not be read to its end.
            if (rows is { IsClosed: false }) command!.Cancel();
            rows?.Dispose();
            command?.Dispose();
            connection.Dispose();
        }
    }
}
