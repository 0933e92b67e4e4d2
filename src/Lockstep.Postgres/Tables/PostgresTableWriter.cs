using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;
using NpgsqlTypes;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// The one sync that leads a table in PostgreSQL. It holds an advisory lock on its connection, so that another one takes over when that is gone; and each commit
/// checks that it is still the leader, so that one which lost the lock without noticing cannot write. One thread at a time, but for <see cref="Interrupt"/>.
/// </summary>
internal sealed class PostgresTableWriter : ITableTarget
{
    private readonly NpgsqlConnection _connection;
    private readonly int _table;
    private readonly long _epoch;
    private readonly string _description;
    private readonly List<string> _newFields = [];
    private NpgsqlCommand? _running;
    private volatile bool _interrupted;
    private bool _hasSnapshot;
    private long _snapshotSequence;

    /// <param name="connection">Open, with the lock; taken over.</param>
    /// <param name="table">The table's number.</param>
    /// <param name="epoch">The leader's number.</param>
    /// <param name="state">The table as it is committed.</param>
    /// <param name="description">The table in words, for errors.</param>
    public PostgresTableWriter(NpgsqlConnection connection, int table, long epoch, TableState state, string description)
    {
        (_connection, _table, _epoch, _description) = (connection, table, epoch, description);
        State = Committed = state;
    }

    public TableState State { get; private set; }

    public TableState Committed { get; private set; }

    public CommitResult Commit(TableCommit commit)
    {
        var hasRecords = commit.Batch is { Count: > 0 };
        var wanted = Describe(commit, commit.NewFields);
        if (!hasRecords && wanted == State && commit.Quarantined.Count == 0) return CommitResult.Nothing;
        var merged = new Merged();
        return InTransaction(() =>
        {
            if (hasRecords)
            {
                Fill(commit.Batch!, State.Sequence);
                Merge(TableSql.Stage, commit.WantsChanges, merged);
                wanted = merged.Apply(wanted, merged.Counts.Changes > 0 ? State.Sequence + commit.Batch!.Count : State.Sequence);
            }

            Quarantine(commit.Quarantined);
            State = wanted;
            return new CommitResult(merged.Counts, merged.Changes);
        });
    }

    public void BeginSnapshot()
    {
        DiscardSnapshot();
        InTransaction(() => Run(TableSql.CreateSnapshot));
        _hasSnapshot = true;
        _snapshotSequence = State.Sequence;
    }

    public ApplyCounts CommitToSnapshot(TableCommit commit)
    {
        RequireSnapshot();
        var changed = InTransaction(() =>
        {
            var count = 0;
            if (commit.Batch is { } batch)
            {
                Fill(batch, _snapshotSequence);
                count = Run(TableSql.StageToSnapshot);
            }

            Quarantine(commit.Quarantined);
            return count;
        });
        if (commit.Batch is { } added) _snapshotSequence += added.Count;
        _newFields.AddRange(commit.NewFields);
        return new ApplyCounts(changed, 0, 0);
    }

    public CommitResult CompleteSnapshot(TableCommit commit, SnapshotEnding ending)
    {
        RequireSnapshot();
        var wanted = Describe(commit, [.. _newFields, .. commit.NewFields]);
        var merged = new Merged();
        long swept = 0;
        var result = InTransaction(() =>
        {
            if (ending.HasFlag(SnapshotEnding.ForgetOrder))
            {
                Run(TableSql.ForgetOrder(_table));
                wanted = wanted with { Tombstones = 0 };
            }

            Merge(TableSql.Snapshot, commit.WantsChanges, merged);
            var sequence = Math.Max(State.Sequence, _snapshotSequence);
            if (ending.HasFlag(SnapshotEnding.Sweep)) swept = Sweep(sequence, commit.WantsChanges, merged);
            Run($"DROP TABLE {TableSql.Snapshot}");
            Quarantine(commit.Quarantined);
            State = merged.Apply(wanted, sequence + swept);
            return new CommitResult(merged.Counts, merged.Changes) { Swept = swept };
        });
        _hasSnapshot = false;
        _newFields.Clear();
        return result;
    }

    public void DiscardSnapshot()
    {
        if (!_hasSnapshot) return;
        _hasSnapshot = false;
        _newFields.Clear();
        InTransaction(() => Run($"DROP TABLE IF EXISTS {TableSql.Snapshot}"));
    }

    public void Interrupt()
    {
        _interrupted = true;
        Volatile.Read(ref _running)?.Cancel();
    }

    /// <summary>Closes the connection, and with it gives up the lead.</summary>
    public void Dispose() => _connection.Dispose();

    private T InTransaction<T>(Func<T> work)
    {
        var before = State;
        try
        {
            using var transaction = _connection.BeginTransaction();
            var result = work();
            Save();
            if (_interrupted) throw new OperationCanceledException();
            transaction.Commit();
            Committed = State;
            return result;
        }
        catch (Exception e)
        {
            State = before;
            if (_interrupted) throw new OperationCanceledException("The commit was broken off.", e);
            if (e is NpgsqlException or InvalidOperationException or System.Net.Sockets.SocketException or IOException or TimeoutException) throw PostgresTableStore.Translate(e, _description);
            throw;
        }
    }

    /// <summary>Writes the state, if this is still the leader.</summary>
    private void Save()
    {
        var written = Run($"UPDATE {TableSql.Directory} SET state = $1 WHERE id = $2 AND epoch = $3", StateJson.Write(State), _table, _epoch);
        if (written == 0) throw new TableLeaderException(_description);
    }

    private TableState Describe(TableCommit commit, IReadOnlyList<string> newFields) => State with
    {
        Feed = commit.Feed ?? State.Feed,
        Shape = commit.Shape ?? State.Shape,
        Fields = newFields.Count > 0 ? [.. State.Fields.Union(newFields)] : State.Fields,
        Cursor = commit.Cursor ?? State.Cursor,
        Resume = commit.Resume,
        FeedIdentity = commit.FeedIdentity ?? State.FeedIdentity,
        LastSync = commit.At ?? State.LastSync,
    };

    /// <summary>Brings a batch to the stage, one record per key: a second one would break the upsert.</summary>
    private void Fill(RecordBatch batch, long sequence)
    {
        Run($"TRUNCATE {TableSql.Stage}");
        using var copy = _connection.BeginBinaryImport(TableSql.CopyToStage);
        copy.Timeout = TimeSpan.Zero;
        foreach (var index in Newest(batch))
        {
            if (_interrupted) throw new OperationCanceledException();
            ref readonly var entry = ref batch[index];
            copy.StartRow();
            copy.Write(KeyOf(batch, entry), NpgsqlDbType.Bytea);
            copy.Write(sequence + index + 1, NpgsqlDbType.Bigint);
            if (batch.OrderKind == OrderKind.Number) copy.Write(batch.OrderOf(entry).ToString(), NpgsqlDbType.Text);
            else copy.WriteNull();
            if (entry.Flags.HasFlag(EntryFlags.HasTransactionId)) copy.Write(entry.TransactionId, NpgsqlDbType.Bigint);
            else copy.WriteNull();
            copy.Write(entry.Flags.HasFlag(EntryFlags.Deleted) ? (short)1 : (short)0, NpgsqlDbType.Smallint);
            copy.Write(batch.Memory(entry.BodyStart, entry.BodyLength), NpgsqlDbType.Text);
        }

        copy.Complete();
    }

    private static IEnumerable<int> Newest(RecordBatch batch)
    {
        var places = new int[batch.Count];
        return places.Take(batch.NewestByKey(places));
    }

    /// <summary>Always encoded: PostgreSQL has no rowid to gain from.</summary>
    private static byte[] KeyOf(RecordBatch batch, in RecordEntry entry) => batch.Layout == KeyLayout.Integer
        ? KeyEncoding.Encode(entry.IntegerKey).ToArray()
        : batch.Key(entry).ToArray();

    private void Merge(string source, bool wantsChanges, Merged merged) => Read(
        TableSql.Merge(_table, source, wantsChanges),
        row =>
        {
            var (kind, was) = ((ChangeKind)row.GetInt32(0), row.GetInt32(1));
            merged.Add(kind, was, wantsChanges ? 1 : row.GetInt64(2));
            if (wantsChanges) merged.Changes.Add(Change(kind, row, 2));
        });

    private long Sweep(long sequence, bool wantsChanges, Merged merged)
    {
        long swept = 0;
        Read(
            TableSql.Sweep(_table),
            row =>
            {
                swept++;
                merged.Add(ChangeKind.Deleted, was: 0, count: 1);
                if (wantsChanges) merged.Changes.Add(Change(ChangeKind.Deleted, row, 0));
            },
            sequence);
        return swept;
    }

    private static TableChange Change(ChangeKind kind, NpgsqlDataReader row, int column) =>
        new(kind, KeyEncoding.Read(row.GetFieldValue<byte[]>(column + 1)), row.GetInt64(column), row.GetFieldValue<byte[]>(column + 2));

    private void Quarantine(IReadOnlyList<QuarantinedRecord> records)
    {
        foreach (var record in records)
        {
            Run(
                "INSERT INTO lockstep_tables.lockstep_quarantine (table_id, at, byte_offset, reason, bytes) VALUES ($1, $2, $3, $4, $5)",
                _table, record.At.ToUniversalTime(), record.ByteOffset, record.Reason, record.Bytes.ToArray());
        }
    }

    private void RequireSnapshot()
    {
        if (!_hasSnapshot) throw new InvalidOperationException("No snapshot has begun.");
    }

    private int Run(string sql, params object[] parameters)
    {
        using var command = Begin(sql, parameters);
        var count = command.ExecuteNonQuery();
        Volatile.Write(ref _running, null);
        return count;
    }

    private void Read(string sql, Action<NpgsqlDataReader> take, params object[] parameters)
    {
        using var command = Begin(sql, parameters);
        using (var row = command.ExecuteReader())
        {
            while (row.Read()) take(row);
        }

        Volatile.Write(ref _running, null);
    }

    private NpgsqlCommand Begin(string sql, object[] parameters)
    {
        var command = new NpgsqlCommand(sql, _connection) { CommandTimeout = 0 };
        foreach (var parameter in parameters) command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        Volatile.Write(ref _running, command);
        if (_interrupted) throw new OperationCanceledException();
        return command;
    }

    /// <summary>What a merge did.</summary>
    private sealed class Merged
    {
        private long _rows;
        private long _tombstones;

        public ApplyCounts Counts { get; private set; }

        public List<TableChange> Changes { get; } = [];

        /// <param name="kind">The change.</param>
        /// <param name="was">What was there: 0 a record, above it a tombstone, below it nothing.</param>
        /// <param name="count">How many of them.</param>
        public void Add(ChangeKind kind, int was, long count)
        {
            Counts += kind switch
            {
                ChangeKind.Added => new ApplyCounts(count, 0, 0),
                ChangeKind.Updated => new ApplyCounts(0, count, 0),
                _ => new ApplyCounts(0, 0, count),
            };
            _rows += ((kind == ChangeKind.Deleted ? 0 : 1) - (was == 0 ? 1 : 0)) * count;
            _tombstones += ((kind == ChangeKind.Deleted ? 1 : 0) - (was > 0 ? 1 : 0)) * count;
        }

        public TableState Apply(TableState state, long sequence) => state with
        {
            Rows = state.Rows + _rows,
            Tombstones = state.Tombstones + _tombstones,
            Sequence = sequence,
        };
    }
}
