using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The one writer of a table file. Each commit holds records, tombstones, cursor and feed identity together (I1).
/// Threads: see <see cref="ITableTarget"/>.
/// </summary>
internal sealed class TableWriter : ITableTarget
{
    private readonly string _path;
    private readonly WriterLock _lock;
    private readonly SqliteConnection _connection;
    private readonly Interruption _interruption = new();
    private readonly FirstLoad _firstLoad;
    private readonly bool _removesUnused;
    private volatile TableState _state;
    private volatile TableState _committed;
    private RowStatements? _rows;
    private SnapshotStage? _stage;
    private bool _isOpen;
    private bool _isServed;
    private ApplyCounts _uncommitted;

    private TableWriter(string path, WriterLock writerLock, SqliteConnection connection, bool isServed, bool removesUnused)
    {
        _path = path;
        _lock = writerLock;
        _connection = connection;
        _state = _committed = TableState.Load(connection) with { Quarantined = Quarantine.Count(connection) };
        _removesUnused = removesUnused;
        _isServed = isServed;
        _firstLoad = new FirstLoad(connection);
        // While another program holds the file, each wait is short, so that an interruption is seen in time (I10).
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

    /// <summary>Opens a table for writing; takes the lock over, which this gives back when it is disposed.</summary>
    /// <param name="path">The full path.</param>
    /// <param name="createAs">The name of the table to create where there is no file; null to open only.</param>
    /// <param name="writerLock">The lock that the caller has taken; it stays the caller's when this throws.</param>
    /// <param name="isServed">Whether others are served from this table, so that a commit must survive a loss of power (I5).</param>
    /// <param name="removesUnused">Whether <see cref="Dispose"/> removes the file when no sync has ended well and nothing has come.</param>
    public static TableWriter Open(string path, string? createAs, WriterLock writerLock, bool isServed = false, bool removesUnused = false)
    {
        var connection = TableFile.OpenForWriting(path, createAs, isServed);
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

    /// <summary>Breaks off the statement that runs, from any thread; its transaction is rolled back.</summary>
    public void Interrupt()
    {
        _interruption.Request();
        NativeSqlite.InterruptStatements(_connection.Handle!.DangerousGetHandle());
    }

    /// <summary>Commits a batch and what else there is to say about the table, or nothing at all when nothing is new.</summary>
    public CommitResult Commit(TableCommit commit)
    {
        var hasRecords = commit.Batch is { Count: > 0 };
        var wanted = Describe(commit);
        if (!hasRecords && !_isOpen && wanted == State && commit.Quarantined.Count == 0)
            return CommitResult.Nothing;

        var changes = commit.WantsChanges ? new List<TableChange>() : null;
        // Whoever is served from a table reads it while it is filled.
        if (hasRecords && !_isOpen && State.Sequence == 0 && !_isServed && !ServingMark.Exists(_connection))
            _firstLoad.Begin(commit.Batch!.MemoryUsed);
        InTransaction(
            commit.MayStayOpen,
            () =>
            {
                if (hasRecords)
                    wanted = Apply(commit.Batch!, wanted, changes);
                State = SetAside(commit, wanted);
            }
        );
        if (_isOpen)
            return CommitResult.Nothing;
        var counts = _uncommitted;
        _uncommitted = default;
        return new CommitResult(counts, (IReadOnlyList<TableChange>?)changes ?? []);
    }

    private TableState Apply(RecordBatch batch, TableState wanted, List<TableChange>? changes)
    {
        EnsureRows(wanted.Shape!, batch);
        var applier = new RowApplier(_rows!);
        applier.Apply(batch, State.Sequence, changes);
        _uncommitted += applier.Tally.Counts;
        return wanted with
        {
            Rows = State.Rows + applier.Tally.Rows,
            Tombstones = State.Tombstones + applier.Tally.Tombstones,
            Sequence = applier.Tally.Counts.Changes > 0 ? State.Sequence + batch.Count : State.Sequence,
        };
    }

    /// <summary>Begins a snapshot that is built beside the records, which readers go on to see (I6).</summary>
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
        InTransaction(
            stayOpen: false,
            () =>
            {
                counts = commit.Batch is { } batch ? stage.Apply(batch, commit.Shape!, State.Sequence) : default;
                State = SetAside(commit, State);
                stage.NoteFields(commit.NewFields);
            }
        );
        return counts;
    }

    public AbsentRecords CountAbsent(IReadOnlyCollection<byte[]> kept)
    {
        var stage = _stage ?? throw new InvalidOperationException("No snapshot has begun.");
        return TableFile.Guard(_path, () => stage.CountAbsent(State.Shape, kept));
    }

    /// <summary>The snapshot replaces the table's content in one transaction.</summary>
    public CommitResult CompleteSnapshot(TableCommit commit, SnapshotEnding ending)
    {
        var stage = _stage ?? throw new InvalidOperationException("No snapshot has begun.");
        var wanted = Describe(commit with { NewFields = [.. stage.NewFields, .. commit.NewFields] });
        InTransaction(
            stayOpen: false,
            () =>
            {
                _rows?.Dispose();
                _rows = null;
                if (wanted.Shape is { } shape)
                    AlignLayout(shape);
                TableFile.Execute(_connection, $"DROP VIEW IF EXISTS {TableView.Quote(State.Name)}");
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

    /// <summary>Drops a snapshot that will not be whole; the table stays as it is.</summary>
    public void DiscardSnapshot()
    {
        _stage?.Dispose();
        _stage = null;
    }

    /// <summary>
    /// Empties the table: records, tombstones, quarantine, cursor and the feed it belongs to. Sequence numbers go on (I11).
    /// </summary>
    public void Clear()
    {
        DiscardSnapshot();
        InTransaction(
            stayOpen: false,
            () =>
            {
                _rows?.Dispose();
                _rows = null;
                TableFile.Execute(
                    _connection,
                    $"DROP VIEW IF EXISTS {TableView.Quote(State.Name)}; DROP TABLE IF EXISTS {TableSchema.Rows}; DELETE FROM lockstep_quarantine"
                );
                ForeignFeed.Remove(_connection);
                State = new TableState { Name = State.Name, Sequence = State.Sequence };
                ServingMark.Renew(_connection);
            }
        );
    }

    /// <summary>Has these fields indexed and no others.</summary>
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

    /// <summary>Removes tombstones whose order value is below a horizon, which the file remembers.</summary>
    /// <returns>How many were removed.</returns>
    public long ClearTombstones(Cursor before)
    {
        long removed = 0;
        InTransaction(
            stayOpen: false,
            () =>
            {
                if (State.Shape is { OrderKind: OrderKind.Number } shape && HasRows())
                    removed = DeleteTombstones(before, shape.KeyLayout);
                State = State with { Tombstones = State.Tombstones - removed, Horizon = before };
            }
        );
        return removed;
    }

    public void Dispose()
    {
        _stage?.Abandon();
        _rows?.Dispose();
        var isUnused = _removesUnused && Committed.IsUnused;
        ClosingCheckpoint.Run(_connection, _path, _interruption.IsRequested);
        _connection.Dispose();
        if (isUnused)
        {
            // While the lock is held, nobody else can have the file (I12).
            TableFile.DeleteUnused(_path);
            _lock.DisposeAndDelete();
        }
        else
        {
            _lock.Dispose();
        }
    }

    /// <summary>Runs work in the transaction that is open, or in a new one; commits it, unless it may stay open.</summary>
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
                    Save();
                    ExecutePatiently("COMMIT");
                    _isOpen = false;
                    Committed = State;
                    // Who came to be served meanwhile is seen again at the next transaction.
                    if (_firstLoad.End())
                        _isServed = false;
                    return true;
                }
                catch
                {
                    State = Committed;
                    _uncommitted = default;
                    _isOpen = false;
                    _rows?.Dispose();
                    _rows = null;
                    if (SQLitePCL.raw.sqlite3_get_autocommit(_connection.Handle) == 0)
                        TableFile.Execute(_connection, "ROLLBACK");
                    throw;
                }
            }
        );

    private long DeleteTombstones(Cursor before, KeyLayout layout)
    {
        long removed = 0;
        var limit = OrderValue.FromNumber(System.Text.Encoding.ASCII.GetBytes(before.ToString()));
        long newest = 0;
        using var select = new Statement(_connection, $"SELECT key, ord, seq FROM {TableSchema.Rows} WHERE gone <> 0");
        using var delete = new Statement(_connection, $"DELETE FROM {TableSchema.Rows} WHERE key = ?1");
        while (select.Step())
        {
            if (OrderValue.Compare(StageSql.ReadOrder(select, 1, OrderKind.Number), limit) >= 0)
                continue;
            StageSql.CopyKey(select, 0, delete, 1, layout);
            delete.Execute();
            newest = Math.Max(newest, select.Integer(2));
            removed++;
        }

        if (removed > 0)
            ServingMark.ClearedUpTo(_connection, newest);
        return removed;
    }

    private void Begin()
    {
        // Others may have begun to be served from the table since it was opened: from then on a commit must outlast a loss of power (I5).
        if (!_isServed && ServingMark.Exists(_connection))
        {
            TableFile.Execute(_connection, "PRAGMA synchronous=FULL");
            _isServed = true;
        }

        ExecutePatiently("BEGIN IMMEDIATE");
    }

    /// <summary>Runs a statement that another program which uses the file may hold up, waiting for it for a while.</summary>
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
                // Each wait is as long as the busy timeout.
            }
        }
    }

    private TableState Describe(TableCommit commit) =>
        State with
        {
            Feed = commit.Feed ?? State.Feed,
            Shape = commit.Shape ?? State.Shape,
            Fields = commit.NewFields.Count > 0 ? [.. State.Fields.Union(commit.NewFields)] : State.Fields,
            Cursor = commit.Cursor ?? State.Cursor,
            Resume = commit.Resume,
            FeedIdentity = commit.FeedIdentity ?? State.FeedIdentity,
            FeedEnding = commit.FeedEnding ?? State.FeedEnding,
            LastSync = commit.At ?? State.LastSync,
            Foreign = commit.Foreign ?? State.Foreign,
            Owed = commit.PaysOwed ? null : commit.Owed ?? State.Owed,
            SweepLimit = commit.SweepLimit ?? State.SweepLimit,
            LoadPage = commit.EndsLoad ? null : commit.LoadPage ?? State.LoadPage,
        };

    private void Save()
    {
        State.Save(_connection);
        if (HasRows() && (State.Fields.Count != Committed.Fields.Count || Committed.Shape is null || !HasView(State.Name)))
        {
            TableFile.Execute(_connection, TableView.Create(State.Name, State.Fields, State.Shape?.KeyFields));
            EnsureIndexes();
        }
    }

    private void EnsureRows(RecordShape shape, RecordBatch batch)
    {
        if (!HasRows())
        {
            var average = batch.ArenaUsed / Math.Max(1, batch.Count);
            TableFile.Execute(_connection, TableSchema.CreateRows(TableSchema.Rows, shape.KeyLayout, average));
        }

        if (shape.KeyLayout != State.Shape?.KeyLayout)
            AlignLayout(shape);
        _rows ??= new RowStatements(_connection, TableSchema.Rows, _interruption);
    }

    /// <summary>Integer keys become encoded ones when the first key comes that is none.</summary>
    private void AlignLayout(RecordShape shape)
    {
        if (State.Shape is not { KeyLayout: KeyLayout.Integer } || shape.KeyLayout == KeyLayout.Integer || !HasRows())
            return;
        _rows?.Dispose();
        _rows = null;
        TableFile.Execute(_connection, $"DROP VIEW IF EXISTS {TableView.Quote(State.Name)}");
        StageSql.EncodeKeys(_connection, TableSchema.Rows);
        TableFile.Execute(_connection, TableView.Create(State.Name, State.Fields, State.Shape?.KeyFields));
        EnsureIndexes();
    }

    private void EnsureIndexes()
    {
        SequenceIndex.Ensure(_connection);
        FieldIndexes.Ensure(_connection);
    }

    /// <summary>Sets aside what a commit holds of malformed records; returns the table with what is set aside then.</summary>
    private TableState SetAside(TableCommit commit, TableState wanted)
    {
        if (commit.Quarantined.Count == 0)
            return wanted;
        var dropped = Quarantine.Add(_connection, commit.Quarantined, commit.QuarantineLimit);
        return wanted with { Quarantined = Quarantine.Count(_connection), QuarantineDropped = State.QuarantineDropped + dropped };
    }

    private bool HasRows() => StageSql.TableExists(_connection, TableSchema.Rows);

    private bool HasView(string name)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM sqlite_master WHERE type = 'view' AND name = $name";
        command.Parameters.AddWithValue("$name", name);
        return command.ExecuteScalar() is > 0L;
    }
}
