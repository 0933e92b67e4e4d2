using System.Buffers;
using System.Globalization;
using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;
using NpgsqlTypes;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// A table in PostgreSQL, for everything but syncing it. Any thread may call any member, even while a sync runs, except those that write.
/// </summary>
public sealed class PostgresTable : ITable
{
    private readonly PostgresTableStore _store;
    private readonly int _table;

    internal PostgresTable(PostgresTableStore store, int table, string name) => (_store, _table, Name) = (store, table, name);

    /// <summary>The table's number.</summary>
    internal int Id => _table;

    /// <summary>The table's name.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached.</exception>
    public TableInfo GetInfo() =>
        Stoppable.Run(
            () =>
            {
                using var connection = _store.Open();
                return GetInfo(connection);
            },
            _store.Stop
        );

    /// <inheritdoc/>
    /// <remarks>
    /// A filter is an SQLite expression, as for a table file, and SQLite has the last word here too; but records that its simple
    /// comparisons rule out stay in the database (a field compared to a number, a text or a parameter, IN, BETWEEN, LIKE, IS NULL, joined
    /// by AND and OR).
    /// </remarks>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached.</exception>
    public IRecordScan Read(RecordQuery? query = null)
    {
        var wanted = query ?? RecordQuery.All;
        return Stoppable.Run(() => wanted.Filter is null ? Open(wanted, out _) : Filtered(wanted), _store.Stop);
    }

    /// <inheritdoc/>
    public long Count(RecordQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        long count = 0;
        using var scan = Read(query with { Skip = 0, First = null });
        while (scan.Read())
            count++;
        return count;
    }

    /// <inheritdoc/>
    public IEnumerable<QuarantinedRecord> ReadQuarantined()
    {
        using var connection = Stoppable.Run(_store.Open, _store.Stop);
        using var command = new NpgsqlCommand(
            $"SELECT at, byte_offset, reason, bytes FROM {TableSql.Quarantine} WHERE table_id = $1 ORDER BY id",
            connection
        );
        command.Parameters.Add(new NpgsqlParameter { Value = _table });
        using var row = _store.Guard(Name, () => command.ExecuteReaderAsync(_store.Stop).GetAwaiter().GetResult());
        while (_store.Guard(Name, () => row.ReadAsync(_store.Stop).GetAwaiter().GetResult()))
        {
            yield return new QuarantinedRecord(
                row.GetFieldValue<DateTimeOffset>(0),
                row.GetInt64(1),
                row.GetString(2),
                row.GetFieldValue<byte[]>(3)
            );
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A lost connection is reopened, however long that takes, and reported to <see cref="PostgresTableStore.Logger"/>; no change is lost
    /// or returned twice.
    /// </remarks>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached at the start.</exception>
    /// <exception cref="TableSetBackException">
    /// After a loss of the connection, the table is older than what was already returned.
    /// </exception>
    public IAsyncEnumerable<IReadOnlyList<TableChange>> WatchAsync(
        long? since = null,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    ) => new PostgresTableWatcher(_store, _table, Name, ReadState).WatchAsync(since, time ?? TimeProvider.System, cancellationToken);

    /// <inheritdoc/>
    /// <remarks>A lost connection is reopened, however long that takes, and reported to <see cref="PostgresTableStore.Logger"/>.</remarks>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached at the start.</exception>
    public async Task<TableInfo?> WaitAsync(
        Func<TableInfo, bool> condition,
        TimeSpan? timeout,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    )
    {
        time ??= TimeProvider.System;
        var start = time.GetTimestamp();
        var connection = new KeptConnection(_store, Name, time);
        await using var kept = connection.ConfigureAwait(false);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            if (await connection.TryAsync((c, _) => Task.FromResult(GetInfo(c))).ConfigureAwait(false) is { } info && condition(info))
                return info;
            if (timeout is { } limit && time.GetElapsedTime(start) >= limit)
                return null;
            await Task.Delay(PostgresTableWatcher.Interval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Clear()
    {
        using var writer = _store.Take(_table, Name);
        writer.Clear();
    }

    /// <inheritdoc/>
    public long ClearQuarantined()
    {
        using var writer = _store.Take(_table, Name);
        return writer.ClearQuarantined();
    }

    /// <inheritdoc/>
    public long ClearTombstones(Cursor before)
    {
        using var writer = _store.Take(_table, Name);
        return writer.ClearTombstones(before);
    }

    /// <inheritdoc/>
    public void Remove()
    {
        using var writer = _store.Take(_table, Name);
        writer.Remove();
    }

    private TableInfo GetInfo(NpgsqlConnection connection) =>
        _store.Guard(
            Name,
            () =>
            {
                var state = ReadState(connection);
                using var command = new NpgsqlCommand(
                    $"SELECT pg_total_relation_size(to_regclass('{TableSql.Rows(_table)}')), (SELECT count(*) FROM "
                        + $"{TableSql.Quarantine} WHERE table_id = $1)",
                    connection
                );
                command.Parameters.Add(new NpgsqlParameter { Value = _table });
                long size,
                    quarantined;
                using (var row = command.ExecuteReader())
                {
                    row.Read();
                    (size, quarantined) = (row.IsDBNull(0) ? 0 : row.GetInt64(0), row.GetInt64(1));
                }

                return TableInfo.From(_store.Description, state, quarantined, size, TableSql.HolderOf(connection, _table));
            }
        );

    private IRecordScan Filtered(RecordQuery query)
    {
        var all = Open(query with { Skip = 0, First = null }, out var state);
        try
        {
            return state.Shape is null ? all : new FilteredScan(all, state, query, e => _store.Damaged(Name, e), _store.Stop);
        }
        catch
        {
            all.Dispose();
            throw;
        }
    }

    private IRecordScan Open(RecordQuery query, out TableState state)
    {
        var connection = _store.Open();
        try
        {
            TableState? found = null;
            var scan = _store.Guard<IRecordScan>(
                Name,
                () =>
                {
                    // The description and the records come from one snapshot.
                    using (var begin = new NpgsqlCommand("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", connection))
                        begin.ExecuteNonQuery();
                    found = ReadState(connection);
                    if (found.Shape is not { } shape)
                    {
                        connection.Dispose();
                        return new EmptyScan();
                    }

                    var command = new NpgsqlCommand { Connection = connection, CommandTimeout = 0 };
                    command.CommandText = Sql(query, found, shape, command);
                    return new PostgresScan(_store, Name, connection, command);
                }
            );
            state = found!;
            return scan;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private string Sql(RecordQuery query, TableState state, RecordShape shape, NpgsqlCommand command)
    {
        List<string> conditions = [];
        if (query.Since is { } since)
            conditions.Add(FormattableString.Invariant($"seq > {since}"));
        else if (!query.IncludeDeleted)
            conditions.Add("gone = 0");
        if (query.Keys is { } keys)
        {
            conditions.Add("key = ANY($1)");
            command.Parameters.Add(
                new NpgsqlParameter
                {
                    Value = keys.Select(key => Encode(key, shape)).OfType<byte[]>().ToArray(),
                    NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea,
                }
            );
        }

        // Texts in UTF-8 are compared byte by byte, as in SQLite.
        if (
            query.Filter is not null
            && command.Connection!.PostgresParameters.TryGetValue("server_encoding", out var encoding)
            && encoding == "UTF8"
        )
        {
            List<string> values = [];
            if (FilterPushdown.Of(query, state.Fields, values, command.Parameters.Count + 1) is { } condition)
                conditions.Add(condition);
            foreach (var value in values)
                command.Parameters.Add(new NpgsqlParameter { Value = value, NpgsqlDbType = NpgsqlDbType.Text });
        }

        var where = conditions.Count > 0 ? " WHERE " + string.Join(" AND ", conditions) : "";
        var order = query.Since is null ? " ORDER BY key" : " ORDER BY seq";
        var limit = query.First is { } first ? FormattableString.Invariant($" LIMIT {first}") : "";
        return FormattableString.Invariant(
            $"SELECT {PostgresScan.Columns} FROM {TableSql.Rows(_table)}{where}{order}{limit} OFFSET {query.Skip}"
        );
    }

    /// <summary>A key given by the user, encoded with the types of the table's keys; null if it cannot be a key.</summary>
    private byte[]? Encode(IReadOnlyList<object> parts, RecordShape shape)
    {
        if (parts.Count != shape.KeyFields.Count)
        {
            throw new FilterException(
                "",
                $"The key of '{Name}' has {shape.KeyFields.Count} parts, not {parts.Count}.",
                $"Give a value for each of {string.Join(", ", shape.KeyFields)}."
            );
        }

        var encoded = new ArrayBufferWriter<byte>();
        for (var i = 0; i < parts.Count; i++)
        {
            var text = Encoding.UTF8.GetBytes(Convert.ToString(parts[i], CultureInfo.InvariantCulture) ?? "");
            if (shape.KeyParts[i] == KeyPartKind.Text)
            {
                KeyEncoding.WriteText(encoded, text);
                continue;
            }

            if (!JsonNumber.IsValid(text.AsSpan().Trim((byte)' ')))
                return null;
            KeyEncoding.WriteNumber(encoded, text.AsSpan().Trim((byte)' '));
        }

        return encoded.WrittenSpan.ToArray();
    }

    private TableState ReadState(NpgsqlConnection connection)
    {
        using var command = new NpgsqlCommand($"SELECT state FROM {TableSql.Directory} WHERE id = $1", connection);
        command.Parameters.Add(new NpgsqlParameter { Value = _table });
        return command.ExecuteScalar() is string state ? StateJson.Read(Name, state) : throw _store.Missing(Name);
    }
}
