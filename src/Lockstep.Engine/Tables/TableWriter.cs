using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The only writer of a table file. Each commit contains records, tombstones, cursor and feed identity together (I1). Threads: see
/// <see cref="ITableTarget"/>.
/// </summary>
internal sealed class TableWriter : ITableTarget
{
    private readonly string _path;
    private readonly WriterLock _lock;
    private readonly SqliteConnection _connection;
    private readonly Interruption _interruption = new();
    private readonly FirstLoad _firstLoad;
    private readonly RecordTable _rows;
    private readonly bool _removesUnused;
    private volatile TableState _state;
    private volatile TableState _committed;
    private SnapshotStage? _stage;
    private bool _isOpen;
    private bool _isServed;
    private ApplyCounts _uncommitted;
    private readonly List<TableChange> _uncommittedChanges = [];
    private readonly List<DeletedChildren> _uncommittedDeleted = [];

    private TableWriter(string path, WriterLock writerLock, SqliteConnection connection, bool isServed, bool removesUnused)
    {
        _path = path;
        _lock = writerLock;
        _connection = connection;
        _state = _committed = TableState.Load(connection) with { Quarantined = Quarantine.Count(connection) };
        _removesUnused = removesUnused;
        _isServed = isServed;
        _firstLoad = new FirstLoad(connection);
        _rows = new RecordTable(connection, _interruption);
        // While another program holds the file, each wait is short, so that an interruption takes effect in time (I10).
        TableFile.Execute(connection, "PRAGMA busy_timeout=250");
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

    /// <summary>Opens a table for writing; takes over the lock, and releases it when disposed.</summary>
    /// <param name="path">The full path.</param>
    /// <param name="createAs">The name of the table to create if there is no file; null to open only.</param>
    /// <param name="writerLock">The lock taken by the caller, who keeps it if this throws.</param>
    /// <param name="isServed">Whether the table is being served, so that a commit must survive a power failure (I5).</param>
    /// <param name="removesUnused">Whether <see cref="Dispose"/> removes the file if no sync has succeeded and nothing has arrived.</param>
    /// <param name="cacheBytes">The size of SQLite's page cache in bytes; null for the default.</param>
    public static TableWriter Open(
        string path,
        string? createAs,
        WriterLock writerLock,
        bool isServed = false,
        bool removesUnused = false,
        int? cacheBytes = null
    )
    {
        var connection = TableFile.OpenForWriting(path, createAs, isServed, cacheBytes);
        try
        {
            return TableFile.Guard(path, () => new TableWriter(path, writerLock, connection, isServed, removesUnused));
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Interrupts the running statement, from any thread; its transaction is rolled back.</summary>
    public void Interrupt()
    {
        _interruption.Request();
        NativeSqlite.InterruptStatements(_connection.Handle!.DangerousGetHandle());
    }

    /// <summary>Commits a batch and whatever else there is to record about the table; does nothing if nothing is new.</summary>
    public CommitResult Commit(TableCommit commit)
    {
        var hasRecords = commit.Batch is { Count: > 0 };
        var wanted = State.After(commit, commit.NewFields);
        if (!hasRecords && !_isOpen && wanted == State && commit.Quarantined.Count == 0)
            return CommitResult.Nothing;

        var changes = commit.WantsChanges ? new List<TableChange>() : null;
        IReadOnlyList<DeletedChildren> deleted = [];
        if (hasRecords)
            BeginFirstLoad(commit.Batch!);
        InTransaction(
            commit.MayStayOpen,
            () =>
            {
                if (hasRecords)
                    (wanted, deleted) = Apply(commit.Batch!, wanted, changes);
                State = SetAside(commit, wanted);
            }
        );
        if (commit.Batch is { IsAscending: false })
            _firstLoad.RestoreCache();
        if (_isOpen)
        {
            // The batch, which has their content, is used again before they are committed.
            _uncommittedChanges.AddRange((changes ?? []).Select(change => change with { Record = change.Record.ToArray() }));
            _uncommittedDeleted.AddRange(deleted);
            return CommitResult.Nothing;
        }

        if (_uncommittedChanges.Count > 0 || _uncommittedDeleted.Count > 0)
        {
            changes = [.. _uncommittedChanges, .. changes ?? []];
            deleted = [.. _uncommittedDeleted, .. deleted];
        }

        var counts = _uncommitted;
        ForgetUncommitted();
        return new CommitResult(
            counts,
            changes is null ? []
                : deleted.Count == 0 ? changes
                : _rows.WithDeleted(changes, deleted)
        );
    }

    private void ForgetUncommitted()
    {
        _uncommitted = default;
        _uncommittedChanges.Clear();
        _uncommittedDeleted.Clear();
    }

    /// <summary>Prepares for the first records of an empty table.</summary>
    private void BeginFirstLoad(RecordBatch batch)
    {
        // A served table has readers while it is being filled.
        if (!_isOpen && State.Sequence == 0 && !_isServed && !ServingMark.Exists(_connection))
            _firstLoad.Begin(batch.MemoryUsed);
    }

    private (TableState State, IReadOnlyList<DeletedChildren> Deleted) Apply(
        RecordBatch batch,
        TableState wanted,
        List<TableChange>? changes
    )
    {
        var applier = new RowApplier(_rows.Open(wanted.Shape!, State, batch));
        applier.Apply(batch, State.Sequence, changes);
        _uncommitted += applier.Tally.Counts;
        var after = wanted with
        {
            Rows = State.Rows + applier.Tally.Rows,
            Tombstones = State.Tombstones + applier.Tally.Tombstones,
            Sequence = applier.Tally.Counts.Changes > 0 ? State.Sequence + batch.Count + applier.Extra : State.Sequence,
        };
        return (after, applier.Deleted);
    }

    /// <summary>Begins a snapshot that is built apart from the records, which readers continue to see (I6).</summary>
    public void BeginSnapshot()
    {
        DiscardSnapshot();
        _stage = new SnapshotStage(_connection, _interruption);
    }

    /// <summary>Commits a batch to the snapshot; no cursor (I4).</summary>
    public ApplyCounts CommitToSnapshot(TableCommit commit)
    {
        var stage = _stage ?? throw new InvalidOperationException("No snapshot has begun.");
        ApplyCounts counts = default;
        if (stage.IsNew && commit is { Batch: not null, MayStayOpen: true })
            BeginFirstLoad(commit.Batch!);
        InTransaction(
            commit.MayStayOpen,
            () =>
            {
                counts = commit.Batch is { } batch ? stage.Apply(batch, commit.Shape!, State.Sequence) : default;
                State = SetAside(commit, State);
                stage.NoteFields(commit.NewFields);
            }
        );
        if (commit.Batch is { IsAscending: false })
            _firstLoad.RestoreCache();
        return counts;
    }

    public long SnapshotRows => _stage?.Rows ?? 0;

    public AbsentRecords CountAbsent(IReadOnlyCollection<byte[]> kept)
    {
        var stage = _stage ?? throw new InvalidOperationException("No snapshot has begun.");
        return TableFile.Guard(_path, () => stage.CountAbsent(State.Shape, kept));
    }

    /// <summary>Replaces the table's contents with the snapshot, in one transaction.</summary>
    public CommitResult CompleteSnapshot(TableCommit commit, SnapshotEnding ending)
    {
        var stage = _stage ?? throw new InvalidOperationException("No snapshot has begun.");
        var wanted = State.After(commit, [.. stage.NewFields, .. commit.NewFields]);
        InTransaction(
            stayOpen: false,
            () =>
            {
                _rows.Release();
                if (wanted.Shape is { } shape)
                    _rows.Align(shape, State);
                _rows.DropView(State.Name);
                stage.Complete(State, wanted.Shape, ending, commit);
                State = SetAside(commit, wanted) with
                {
                    Rows = stage.Tally.Rows,
                    Tombstones = stage.Tally.Tombstones,
                    Sequence = stage.SequenceAfter,
                };
            }
        );
        _stage = null;
        return new CommitResult(stage.Tally.Counts, stage.Changes) { Swept = stage.Swept };
    }

    /// <summary>Discards a snapshot that will not be completed; the table stays as it is.</summary>
    public void DiscardSnapshot()
    {
        // What was quarantined is kept.
        if (_isOpen)
            InTransaction(stayOpen: false, () => { });
        TableFile.Guard(_path, () => _stage?.Dispose());
        _stage = null;
    }

    /// <summary>
    /// Empties the table: records, tombstones, quarantine, cursor and the feed to which it is bound. Sequence numbers continue (I11).
    /// </summary>
    public void Clear()
    {
        DiscardSnapshot();
        InTransaction(
            stayOpen: false,
            () =>
            {
                _rows.Drop(State.Name);
                TableFile.Execute(_connection, "DELETE FROM lockstep_quarantine");
                OptionalText.Dialect.Remove(_connection);
                OptionalText.Asked.Remove(_connection);
                OptionalText.Incomplete.Remove(_connection);
                State = new TableState { Name = State.Name, Sequence = State.Sequence };
                ServingMark.Renew(_connection);
            }
        );
    }

    /// <summary>Maintains an index for exactly these fields.</summary>
    public void SetIndexes(IReadOnlyCollection<string> fields)
    {
        FieldIndexes.Check(fields, State.Fields);
        InTransaction(stayOpen: false, () => FieldIndexes.Save(_connection, fields));
    }

    /// <summary>Empties the quarantine.</summary>
    /// <returns>How many malformed records were removed.</returns>
    public long ClearQuarantined()
    {
        var removed = State.Quarantined;
        InTransaction(
            stayOpen: false,
            () =>
            {
                TableFile.Execute(_connection, "DELETE FROM lockstep_quarantine");
                State = State with { Quarantined = 0 };
            }
        );
        return removed;
    }

    /// <summary>Removes tombstones whose order value is below a horizon; the file records the horizon.</summary>
    /// <returns>How many were removed.</returns>
    public long ClearTombstones(Cursor before)
    {
        long removed = 0;
        InTransaction(
            stayOpen: false,
            () =>
            {
                if (State.Shape is { OrderKind: OrderKind.Number } shape && _rows.Exists)
                    removed = _rows.DeleteTombstones(before, shape.KeyLayout);
                State = State with { Tombstones = State.Tombstones - removed, Horizon = before };
            }
        );
        return removed;
    }

    public void Dispose()
    {
        _stage?.Abandon();
        _rows.Dispose();
        var isUnused = _removesUnused && Committed.IsUnused;
        ClosingCheckpoint.Run(_connection, _path, _interruption.IsRequested);
        _connection.Dispose();
        if (isUnused)
        {
            // While the lock is held, nobody else can be using the file (I12).
            TableFile.DeleteUnused(_path);
            _lock.DisposeAndDelete();
        }
        else
        {
            _lock.Dispose();
        }
    }

    /// <summary>Runs work in the open transaction, or in a new one; commits it, unless it may stay open.</summary>
    private void InTransaction(bool stayOpen, Action work) =>
        TableFile.Guard(
            _path,
            () =>
            {
                if (!_isOpen)
                    Begin();
                _isOpen = true;
                try
                {
                    work();
                    if (stayOpen)
                        return true;
                    State.Save(_connection);
                    _rows.ShowNew(State, Committed);
                    ExecutePatiently("COMMIT");
                    _isOpen = false;
                    Committed = State;
                    // If the table has come to be served meanwhile, the next transaction notices.
                    if (_firstLoad.End())
                        _isServed = false;
                    return true;
                }
                catch
                {
                    State = Committed;
                    ForgetUncommitted();
                    _isOpen = false;
                    _rows.Release();
                    if (SQLitePCL.raw.sqlite3_get_autocommit(_connection.Handle) == 0)
                        TableFile.Execute(_connection, "ROLLBACK");
                    throw;
                }
            }
        );

    private void Begin()
    {
        // The table may have come to be served since it was opened: from then on a commit must survive a power failure (I5).
        if (!_isServed && ServingMark.Exists(_connection))
        {
            TableFile.Execute(_connection, "PRAGMA synchronous=FULL");
            _isServed = true;
        }

        ExecutePatiently("BEGIN IMMEDIATE");
    }

    /// <summary>Runs a statement, retrying for a while if another program is holding the file.</summary>
    private void ExecutePatiently(string sql)
    {
        const int MostWaits = 120;
        using var statement = new Statement(_connection, sql);
        for (var waits = 1; ; waits++)
        {
            _interruption.ThrowIfRequested();
            try
            {
                statement.Execute();
                return;
            }
            catch (SqliteException e) when (e.SqliteErrorCode == NativeSqlite.Busy && waits < MostWaits)
            {
                // Each wait lasts as long as the busy timeout.
            }
        }
    }

    /// <summary>Quarantines a commit's malformed records; returns the table's state including its quarantine.</summary>
    private TableState SetAside(TableCommit commit, TableState wanted)
    {
        if (commit.Quarantined.Count == 0)
            return wanted;
        var dropped = Quarantine.Add(_connection, commit.Quarantined, commit.QuarantineLimit);
        return wanted with { Quarantined = Quarantine.Count(_connection), QuarantineDropped = State.QuarantineDropped + dropped };
    }
}
