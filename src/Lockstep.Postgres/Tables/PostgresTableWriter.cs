using System.Text;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;
using NpgsqlTypes;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// The one sync that leads a table in PostgreSQL. It holds an advisory lock on its connection, so that another sync takes over when the
/// connection is gone; and each commit checks that this is still the leader, so that one that lost the lock without noticing cannot write.
/// Threads: see <see cref="ITableTarget"/>.
/// </summary>
internal sealed class PostgresTableWriter : ITableTarget
{
    private readonly WriterConnection _connection;
    private readonly StageMerge _merge;
    private readonly int _table;
    private readonly long _epoch;
    private readonly string _description;
    private readonly List<string> _newFields = [];
    private readonly bool _removesUnused;
    private volatile TableState _state;
    private volatile TableState _committed;
    private bool _hasSnapshot;
    private long _snapshotSequence;

    /// <param name="connection">Open, with the lock; owned by this.</param>
    /// <param name="table">The table's number.</param>
    /// <param name="epoch">The leader's number.</param>
    /// <param name="state">The table's committed state.</param>
    /// <param name="description">A description of the table, for errors.</param>
    /// <param name="removesUnused">
    /// Whether <see cref="Dispose"/> removes the table if no sync has succeeded and nothing has arrived.
    /// </param>
    public PostgresTableWriter(
        NpgsqlConnection connection,
        int table,
        long epoch,
        TableState state,
        string description,
        bool removesUnused = false
    )
    {
        _removesUnused = removesUnused;
        (_connection, _table, _epoch, _description) = (new WriterConnection(connection, description), table, epoch, description);
        _merge = new StageMerge(_connection);
        long count = 0;
        _connection.Read(TableSql.CountQuarantined, row => count = row.GetInt64(0), table);
        _state = _committed = state with { Quarantined = count };
    }

    public TableState State
    {
        get => _state;
        private set => _state = value;
    }

    public TableState Committed
    {
        get => _committed;
        private set => _committed = value;
    }

    public CommitResult Commit(TableCommit commit)
    {
        var hasRecords = commit.Batch is { Count: > 0 };
        var wanted = State.After(commit, commit.NewFields);
        if (!hasRecords && wanted == State && commit.Quarantined.Count == 0)
            return CommitResult.Nothing;
        var merged = new MergeResult();
        return InTransaction(() =>
        {
            if (hasRecords)
            {
                var sequence = State.Sequence;
                foreach (var round in BatchRounds.Of(commit.Batch!))
                {
                    sequence += _merge.Take(
                        commit.Batch!,
                        round,
                        sequence,
                        TableSql.Rows(_table),
                        commit.WantsChanges,
                        IsForeign(wanted),
                        merged
                    );
                }

                wanted = merged.Apply(wanted, merged.Counts.Changes > 0 ? sequence + commit.Batch!.Count : State.Sequence);
            }

            State = SetAside(commit, wanted);
            return new CommitResult(merged.Counts, merged.InOrder());
        });
    }

    /// <summary>Whether the records are another server's, which may write one in more than one way.</summary>
    private static bool IsForeign(TableState state) => state.Shape?.Dialect == Dialect.Foreign;

    public long SnapshotRows { get; private set; }

    public void BeginSnapshot()
    {
        DiscardSnapshot();
        SnapshotRows = 0;
        InTransaction(() => _connection.Run(TableSql.CreateSnapshot));
        _hasSnapshot = true;
        _snapshotSequence = State.Sequence;
    }

    public ApplyCounts CommitToSnapshot(TableCommit commit)
    {
        RequireSnapshot();
        var sequence = _snapshotSequence;
        var (counts, rows) = InTransaction(() =>
        {
            var merged = new MergeResult();
            if (commit.Batch is { } batch)
            {
                var isOrdered = batch.OrderKind == OrderKind.Arrival || batch.HasPatches;
                foreach (var round in isOrdered ? BatchRounds.Of(batch) : [BatchRounds.Newest(batch)])
                {
                    // What the table has of a parent's children is staged, so that their deletion is.
                    if (batch.HasParents && batch[round[0]] is { } parent && parent.Flags.HasFlag(EntryFlags.Parent))
                        _connection.Run(TableSql.CopyBelow(_table), batch.Key(parent).ToArray(), KeyEncoding.EndOf(batch.Key(parent)));
                    sequence += _merge.Take(batch, round, sequence, TableSql.Snapshot, wantsChanges: false, compares: false, merged);
                }
            }

            State = SetAside(commit, State);
            return (merged.Counts, merged.Rows);
        });
        SnapshotRows += rows;
        if (commit.Batch is { } added)
            _snapshotSequence = sequence + added.Count;
        _newFields.AddRange(commit.NewFields);
        return counts;
    }

    public AbsentRecords CountAbsent(IReadOnlyCollection<byte[]> kept)
    {
        RequireSnapshot();
        long count = 0;
        List<RecordKey> examples = [];
        return _connection.InTransaction(() =>
        {
            // A single parameter that is an array; passed directly, its elements would count as all the parameters.
            _connection.Read(TableSql.CountAbsent(_table), row => count = row.GetInt64(0), (object)kept.ToArray());
            if (count > 0)
            {
                _connection.Read(
                    TableSql.ShowAbsent(_table),
                    row => examples.Add(KeyEncoding.Read(row.GetFieldValue<byte[]>(0))),
                    kept.ToArray(),
                    AbsentRecords.MostExamples
                );
            }

            var isEmpty = false;
            _connection.Read(TableSql.SnapshotIsEmpty, row => isEmpty = row.GetBoolean(0));
            return new AbsentRecords(count, examples) { IsEmpty = isEmpty };
        });
    }

    public CommitResult CompleteSnapshot(TableCommit commit, SnapshotEnding ending)
    {
        RequireSnapshot();
        var wanted = State.After(commit, [.. _newFields, .. commit.NewFields]);
        var merged = new MergeResult();
        long swept = 0;
        var result = InTransaction(() =>
        {
            if (ending.HasFlag(SnapshotEnding.ForgetOrder))
            {
                _connection.Run(TableSql.ForgetOrder(_table));
                wanted = wanted with { Tombstones = 0 };
            }

            var isArrival = wanted.Shape?.OrderKind == OrderKind.Arrival;
            _merge.Run(TableSql.Rows(_table), TableSql.Snapshot, commit.WantsChanges, isArrival, IsForeign(wanted), patches: [], merged);
            var sequence = Math.Max(State.Sequence, _snapshotSequence);
            if (ending.HasFlag(SnapshotEnding.Sweep))
                swept = _merge.Sweep(_table, sequence, commit, merged);
            _connection.Run($"DROP TABLE {TableSql.Snapshot}");
            State = merged.Apply(SetAside(commit, wanted), merged.Counts.Changes > 0 ? sequence + swept : State.Sequence);
            return new CommitResult(merged.Counts, merged.Changes) { Swept = swept };
        });
        _hasSnapshot = false;
        _newFields.Clear();
        return result;
    }

    public void DiscardSnapshot()
    {
        if (!_hasSnapshot)
            return;
        _hasSnapshot = false;
        _newFields.Clear();
        InTransaction(() => _connection.Run($"DROP TABLE IF EXISTS {TableSql.Snapshot}"));
    }

    /// <summary>Empties the table: records, tombstones, quarantine, cursor and feed identity. Sequence numbers continue (I11).</summary>
    public void Clear() =>
        InTransaction(() =>
        {
            State = new TableState { Name = State.Name, Sequence = State.Sequence };
            return _connection.Run(TableSql.Empty(_table));
        });

    /// <summary>Empties the quarantine.</summary>
    /// <returns>How many malformed records were removed.</returns>
    public long ClearQuarantined() =>
        InTransaction(() =>
        {
            State = State with { Quarantined = 0 };
            return _connection.Run(TableSql.ClearQuarantined, _table);
        });

    /// <summary>Removes tombstones whose order value is below a horizon; the table records the horizon.</summary>
    /// <returns>How many were removed.</returns>
    public long ClearTombstones(Cursor before) =>
        InTransaction(() =>
        {
            var removed = State.Shape is { OrderKind: OrderKind.Number }
                ? _connection.Run(TableSql.ForgetTombstones(_table), before.ToString())
                : 0;
            State = State with { Tombstones = State.Tombstones - removed, Horizon = before };
            return removed;
        });

    /// <summary>Removes the table with everything in it. The writer cannot be used afterwards.</summary>
    public void Remove() =>
        _connection.InTransaction(() =>
        {
            RequireLead(_connection.Run($"{TableSql.Forget(_table)} AND epoch = $1", _epoch));
            return _connection.Run($"DROP TABLE {TableSql.Rows(_table)}");
        });

    public void Interrupt() => _connection.Interrupt();

    /// <summary>Closes the connection, and with it gives up the lead.</summary>
    public void Dispose()
    {
        try
        {
            if (_removesUnused && Committed.IsUnused)
                Remove();
        }
        catch (Exception e) when (e is LockstepException or OperationCanceledException or NpgsqlException)
        {
            // A leftover empty table does no harm.
        }
        finally
        {
            _connection.Dispose();
        }
    }

    /// <summary>Runs work in a transaction and saves the state, if this is still the leader.</summary>
    private T InTransaction<T>(Func<T> work)
    {
        var before = State;
        try
        {
            var done = _connection.InTransaction(() =>
            {
                var result = work();
                RequireLead(
                    _connection.Run(
                        $"UPDATE {TableSql.Directory} SET state = $1 WHERE id = $2 AND epoch = $3",
                        StateJson.Write(State),
                        _table,
                        _epoch
                    )
                );
                return result;
            });
            Committed = State;
            return done;
        }
        catch
        {
            State = before;
            throw;
        }
    }

    private void RequireLead(int written)
    {
        if (written == 0)
            throw new TableLeaderException(_description);
    }

    /// <summary>
    /// Quarantines a commit's malformed records: one copy of the same bytes at the same position, and no more than the limit. Returns the
    /// table's state including its quarantine.
    /// </summary>
    private TableState SetAside(TableCommit commit, TableState wanted)
    {
        if (commit.Quarantined.Count == 0)
            return wanted;
        foreach (var record in commit.Quarantined)
        {
            _connection.Run(
                TableSql.SetAside,
                _table,
                record.At.ToUniversalTime(),
                record.ByteOffset,
                record.Reason,
                record.Bytes.ToArray()
            );
        }

        long dropped = _connection.Run(TableSql.DropOldest, _table, commit.QuarantineLimit),
            count = 0;
        _connection.Read(TableSql.CountQuarantined, row => count = row.GetInt64(0), _table);
        return wanted with { Quarantined = count, QuarantineDropped = State.QuarantineDropped + dropped };
    }

    private void RequireSnapshot()
    {
        if (!_hasSnapshot)
            throw new InvalidOperationException("No snapshot has begun.");
    }
}
