using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A snapshot while it arrives: a twin of the table of records, which nobody reads. When complete, it is merged into the records in one
/// transaction (I6): what differs is updated, what it lacks is swept.
/// </summary>
internal sealed class SnapshotStage(SqliteConnection connection, Interruption interruption) : IDisposable
{
    private const string ChangeLog = "temp.lockstep_change";

    private RowStatements? _rows;
    private Statement? _stored;
    private long _sequence = -1;
    private KeyLayout _layout;
    private OrderKind _orderKind;

    private readonly List<string> _newFields = [];

    /// <summary>The rows of the table that arrived again unchanged, so that the stage does not store them.</summary>
    private SequenceSet? _unchanged;

    /// <summary>How many live records the stage holds, and how many tombstones.</summary>
    private long _staged;
    private long _tombstones;

    /// <summary>Whether the stage may contain a record.</summary>
    private bool _hasRecords;

    /// <summary>The body of a record that equals the table's: no JSON starts this way.</summary>
    private static ReadOnlySpan<byte> AsStored => "="u8;

    /// <summary>Whether no record has arrived yet.</summary>
    public bool IsNew => _sequence < 0;

    /// <summary>How many live records came, each counted once.</summary>
    public long Rows => _staged + (_unchanged?.Count ?? 0);

    /// <summary>The fields of its records that the table does not know yet.</summary>
    public IReadOnlyList<string> NewFields => _newFields;

    /// <summary>What the merge changed, and the resulting numbers of live records and tombstones.</summary>
    public RowTally Tally { get; private set; } = new();

    public long Swept { get; private set; }

    public IEnumerable<TableChange> Changes { get; private set; } = [];

    public long SequenceAfter { get; private set; }

    /// <summary>Adds a batch, in the caller's transaction. Sequence numbers continue from the table's, in order of arrival.</summary>
    /// <returns>What it changed in the snapshot.</returns>
    public ApplyCounts Apply(RecordBatch batch, RecordShape shape, long tableSequence)
    {
        var isNew = !StageSql.TableExists(connection, TableSchema.Stage);
        if (isNew)
        {
            TableFile.Execute(connection, TableSchema.CreateRows(TableSchema.Stage, shape.KeyLayout, batch.AverageBytes));
            _sequence = tableSequence;
            _layout = shape.KeyLayout;
        }
        else if (_layout != shape.KeyLayout)
        {
            _rows?.Dispose();
            _rows = null;
            StageSql.EncodeKeys(connection, TableSchema.Stage);
            _layout = shape.KeyLayout;
        }

        _rows ??= new RowStatements(connection, TableSchema.Stage, interruption);
        _unchanged ??= new SequenceSet(tableSequence);
        var compares = CanCompare(batch, shape);
        _hasRecords |= !compares;
        var applier = new RowApplier(_rows) { Leaves = compares ? IsAsStored : null, DeletesBelow = CopyStored };
        applier.Apply(batch, _sequence, changes: null);
        _sequence += batch.Count + applier.Extra;
        _staged += applier.Tally.Rows;
        _tombstones += applier.Tally.Tombstones;
        return applier.Tally.Counts;
    }

    /// <summary>
    /// Whether records may be compared to the table as they arrive: a list that is polled repeatedly is mostly unchanged. If arrival is not
    /// the order, the order value may differ.
    /// </summary>
    private bool CanCompare(RecordBatch batch, RecordShape shape) =>
        batch.OrderKind == OrderKind.Arrival
        && StageSql.TableExists(connection, TableSchema.Rows)
        // The table's own layout may differ until the set ends.
        && StageSql.LayoutOf(connection, TableSchema.Rows) == shape.KeyLayout;

    /// <summary>
    /// Whether a record equals the one in the table, so that it is enough to remember that it arrived. If the stage has another version of
    /// it, a mark that it is as stored is staged instead; a patch is applied to what is staged.
    /// </summary>
    private bool IsAsStored(RecordBatch batch, ref RecordEntry entry)
    {
        var isAsStored = CompareWithStored(batch, ref entry);
        _hasRecords |= !isAsStored;
        return isAsStored;
    }

    private bool CompareWithStored(RecordBatch batch, ref RecordEntry entry)
    {
        _stored ??= new Statement(connection, $"SELECT gone, body, seq FROM {TableSchema.Rows} WHERE key = ?1");
        RowApplier.BindKey(_stored, 1, batch, entry);
        var isThere = _stored.Step();
        var isSame =
            isThere
            && (entry.Flags & (EntryFlags.Deleted | EntryFlags.Patch)) == 0
            && (RowState)_stored.Integer(0) == RowState.Live
            && StageSql.IsSameBody(_stored.Bytes(1), batch.Body(entry), OrderKind.Arrival);
        var sequence = isThere ? _stored.Integer(2) : 0;
        _stored.Reset();
        if (!isSame)
        {
            // The last one of a key counts: that it came as it is, and then otherwise or deleted, no longer means anything.
            _unchanged!.Remove(sequence);
            return false;
        }

        if (!_unchanged!.CanHold(sequence) || (_hasRecords && IsStaged(batch, entry)))
        {
            batch.ReplaceBody(ref entry, AsStored);
            return false;
        }

        _unchanged.Add(sequence);
        return true;
    }

    /// <summary>What the table has of a parent's children is staged, so that their deletion is.</summary>
    private void CopyStored(byte[] parent)
    {
        if (!StageSql.TableExists(connection, TableSchema.Rows))
            return;
        _hasRecords = true;
        using var copy = new Statement(
            connection,
            $"""
            INSERT INTO {TableSchema.Stage}(key, seq, born, ord, txid, gone, body) SELECT key, seq, born, ord, txid, gone, body
                FROM {TableSchema.Rows} WHERE key > ?1 AND key < ?2 AND gone = 0
            ON CONFLICT(key) DO UPDATE SET body = excluded.body WHERE body = '='
            """
        );
        copy.BindBlob(1, parent);
        copy.BindBlob(2, KeyEncoding.EndOf(parent));
        copy.Execute();
    }

    private bool IsStaged(RecordBatch batch, in RecordEntry entry)
    {
        RowApplier.BindKey(_rows!.Select, RowStatements.KeyParameter, batch, entry);
        var isStaged = _rows.Select.Step();
        _rows.Select.Reset();
        return isStaged;
    }

    public void NoteFields(IReadOnlyList<string> fields) => _newFields.AddRange(fields);

    /// <summary>Counts the live records that the snapshot lacks.</summary>
    /// <param name="shape">The shape of the table's records; null if there never was one.</param>
    /// <param name="kept">Keys that do not count.</param>
    public AbsentRecords CountAbsent(RecordShape? shape, IReadOnlyCollection<byte[]> kept)
    {
        if (shape is null || !StageSql.TableExists(connection, TableSchema.Rows))
            return new AbsentRecords(0, []) { IsEmpty = false };
        var held = kept.Select(key => KeyEncoding.Read(key)).ToHashSet();
        var hasStage = StageSql.TableExists(connection, TableSchema.Stage);
        using var live = new Statement(connection, $"SELECT key, seq FROM {TableSchema.Rows} WHERE gone = 0");
        using var staged = hasStage ? new Statement(connection, $"SELECT 1 FROM {TableSchema.Stage} WHERE key = ?1") : null;
        long count = 0;
        List<RecordKey> examples = [];
        while (live.Step())
        {
            interruption.ThrowIfRequested();
            if (IsUnchanged(live.Integer(1)) || (staged is not null && IsStaged(live, staged, shape.KeyLayout)))
                continue;
            var key = held.Count > 0 || examples.Count < AbsentRecords.MostExamples ? StageSql.ReadKey(live, 0, shape.KeyLayout) : default;
            if (held.Contains(key))
                continue;
            count++;
            if (examples.Count < AbsentRecords.MostExamples)
                examples.Add(key);
        }

        var isEmpty =
            _unchanged is null or { IsEmpty: true }
            && (!hasStage || TableFile.Scalar(connection, $"SELECT EXISTS (SELECT 1 FROM {TableSchema.Stage} WHERE gone = 0)") == 0);
        return new AbsentRecords(count, examples) { IsEmpty = isEmpty };
    }

    /// <summary>Merges the snapshot into the records, in the caller's transaction.</summary>
    /// <param name="before">The table's state before.</param>
    /// <param name="shape">The records' shape; null if there never was a record.</param>
    /// <param name="ending">What its end means.</param>
    /// <param name="commit">Which keys to keep, and whether <see cref="Changes"/> will be read before the next commit.</param>
    public void Complete(TableState before, RecordShape? shape, SnapshotEnding ending, TableCommit commit)
    {
        var wantsChanges = commit.WantsChanges;
        Abandon();
        (Tally, SequenceAfter) = (new RowTally(before.Rows, before.Tombstones), Math.Max(before.Sequence, _sequence));
        var hasStage = StageSql.TableExists(connection, TableSchema.Stage);
        var hasRows = StageSql.TableExists(connection, TableSchema.Rows);
        _orderKind = shape?.OrderKind ?? OrderKind.Unknown;

        var forgets = ending.HasFlag(SnapshotEnding.ForgetOrder) && hasRows;
        if (forgets)
        {
            ServingMark.ClearingAll(connection);
            TableFile.Execute(connection, $"UPDATE {TableSchema.Rows} SET ord = NULL");
            // If arrival is the order, no tombstone is needed to know that something has already gone; those to come report changes.
            if (_orderKind == OrderKind.Arrival)
                ForgetTombstones();
        }

        if (hasStage && before.Rows + before.Tombstones == 0)
        {
            BecomeTheTable(hasRows, shape!, before.Sequence, wantsChanges);
        }
        else if (hasRows)
        {
            StartChangeLog(wantsChanges);
            if (hasStage)
                Merge(shape!, wantsChanges);
            if (forgets && _orderKind != OrderKind.Arrival)
                ForgetTombstones();
            if (ending.HasFlag(SnapshotEnding.Sweep))
                Sweep(shape!, hasStage, commit);
            if (hasStage)
                TableFile.Execute(connection, $"DROP TABLE {TableSchema.Stage}");
            // A set that brought nothing new leaves no trace.
            if (Tally.Counts.Changes == 0)
                SequenceAfter = before.Sequence;
            if (wantsChanges)
                Changes = ReadChangeLog(shape!);
        }

        // What arrived unchanged gets no number of its own (I11).
        if (Tally.Counts.Changes == 0)
            SequenceAfter = before.Sequence;
    }

    public void Dispose()
    {
        Abandon();
        TableFile.Execute(connection, $"DROP TABLE IF EXISTS {TableSchema.Stage}");
    }

    /// <summary>Releases the statements; the next writer drops the table.</summary>
    public void Abandon()
    {
        _rows?.Dispose();
        _rows = null;
        _stored?.Dispose();
        _stored = null;
    }

    private bool IsUnchanged(long sequence) => _unchanged?.Contains(sequence) == true;

    /// <summary>Whether a record's key is staged; the staged form may differ once a non-integer key has arrived.</summary>
    private bool IsStaged(Statement live, Statement staged, KeyLayout layout)
    {
        if (layout == _layout)
        {
            StageSql.CopyKey(live, 0, staged, 1, layout);
        }
        else
        {
            staged.BindBlob(1, KeyEncoding.Encode(live.Integer(0)));
        }

        var isStaged = staged.Step();
        staged.Reset();
        return isStaged;
    }

    /// <summary>There was nothing before: the stage becomes the table, without copying rows.</summary>
    private void BecomeTheTable(bool hasRows, RecordShape shape, long sequence, bool wantsChanges)
    {
        if (hasRows)
            TableFile.Execute(connection, $"DROP TABLE {TableSchema.Rows}");
        TableFile.Execute(connection, $"ALTER TABLE {TableSchema.Stage} RENAME TO {TableSchema.Rows}");
        Tally.Add(ChangeKind.Added, was: null, _staged);
        if (_orderKind != OrderKind.Arrival)
            Tally.Add(ChangeKind.Deleted, was: null, _tombstones);
        else if (_tombstones > 0)
            TableFile.Execute(connection, $"DELETE FROM {TableSchema.Rows} WHERE gone <> 0");
        if (wantsChanges)
        {
            Changes = Read(
                $"SELECT key, seq, CASE gone WHEN 0 THEN {(int)ChangeKind.Added} ELSE {(int)ChangeKind.Deleted} END, body "
                    + $"FROM {TableSchema.Rows} WHERE seq > {sequence} ORDER BY seq",
                shape.KeyLayout
            );
        }
    }

    private void Merge(RecordShape shape, bool wantsChanges)
    {
        using var stage = new Statement(connection, $"SELECT key, seq, ord, gone, body FROM {TableSchema.Stage} WHERE body <> '='");
        using var stored = new Statement(connection, $"SELECT gone, ord, body FROM {TableSchema.Rows} WHERE key = ?1");
        using var copy = new Statement(
            connection,
            $"""
            INSERT INTO {TableSchema.Rows}(key, seq, born, ord, txid, gone, body) SELECT key, seq, born, ord, txid, gone, body
                FROM {TableSchema.Stage} WHERE key = ?1
            ON CONFLICT(key) DO UPDATE SET born = CASE gone WHEN 0 THEN born ELSE excluded.seq END,
                seq = excluded.seq, ord = excluded.ord, txid = excluded.txid, gone = excluded.gone, body = excluded.body
            """
        );
        using var raise = new Statement(
            connection,
            $"UPDATE {TableSchema.Rows} SET (ord, txid) = (SELECT ord, txid FROM {TableSchema.Stage} WHERE key = ?1) WHERE key = ?1"
        );
        using var log = wantsChanges ? LogStatement() : null;
        while (stage.Step())
        {
            StageSql.CopyKey(stage, 0, stored, 1, shape.KeyLayout);
            RowState? was = stored.Step() ? (RowState)stored.Integer(0) : null;
            var verdict = Judge(stage, stored, was);
            stored.Reset();
            if (verdict == Verdict.Nothing)
                continue;
            var write = verdict == Verdict.OrderRises ? raise : copy;
            StageSql.CopyKey(stage, 0, write, 1, shape.KeyLayout);
            write.Execute();
            if (verdict.Change() is not { } kind)
                continue;
            Tally.Add(kind, was);
            if (log is not null)
                Log(log, stage.Integer(1), kind, stage, shape.KeyLayout);
        }
    }

    private Verdict Judge(Statement stage, Statement stored, RowState? was)
    {
        var coming = (RowState)stage.Integer(3);
        if (_orderKind == OrderKind.Arrival && coming != RowState.Live && was is not RowState.Live)
            return Verdict.Nothing;
        if (was is null)
            return RecordRule.Judge(was, 0, coming, isSame: false);

        var order = StageSql.CompareOrder(stage, 2, stored, 1, _orderKind);
        var isSame = StageSql.IsSameBody(stored.Bytes(2), stage.Bytes(4), _orderKind, order);
        return RecordRule.Judge(was, order, coming, isSame, isOfWholeSet: _orderKind is not (OrderKind.Text or OrderKind.Arrival));
    }

    /// <summary>Removes what the snapshot lacks, leaving a tombstone at the stored order value, so that nothing older comes back.</summary>
    private void Sweep(RecordShape shape, bool hasStage, TableCommit commit)
    {
        var kept = commit.Kept.Select(key => KeyEncoding.Read(key)).ToHashSet();
        var absent = hasStage ? $"AND NOT EXISTS (SELECT 1 FROM {TableSchema.Stage} s WHERE s.key = r.key)" : "";
        using var select = new Statement(connection, $"SELECT r.key, r.seq FROM {TableSchema.Rows} r WHERE r.gone = 0 {absent}");
        using var sweep = new Statement(connection, $"UPDATE {TableSchema.Rows} SET gone = {(int)RowState.Swept}, seq = ?2 WHERE key = ?1");
        using var log = commit.WantsChanges ? LogStatement() : null;
        while (select.Step())
        {
            if (IsUnchanged(select.Integer(1)) || (kept.Count > 0 && kept.Contains(StageSql.ReadKey(select, 0, shape.KeyLayout))))
                continue;
            StageSql.CopyKey(select, 0, sweep, 1, shape.KeyLayout);
            sweep.Bind(2, ++SequenceAfter);
            sweep.Execute();
            Swept++;
            Tally.Add(ChangeKind.Deleted, RowState.Live);
            if (log is not null)
                Log(log, SequenceAfter, ChangeKind.Deleted, select, shape.KeyLayout);
        }
    }

    /// <summary>
    /// Forgets what the other feed deleted, except for what this one has deleted too: that has already gone, and is no change.
    /// </summary>
    private void ForgetTombstones()
    {
        TableFile.Execute(connection, $"DELETE FROM {TableSchema.Rows} WHERE gone <> 0 AND ord IS NULL");
        Tally.Tombstones = TableFile.Scalar(connection, $"SELECT count(*) FROM {TableSchema.Rows} WHERE gone <> 0");
    }

    private void StartChangeLog(bool wanted)
    {
        TableFile.Execute(connection, $"DROP TABLE IF EXISTS {ChangeLog}");
        if (wanted)
            TableFile.Execute(connection, $"CREATE TABLE {ChangeLog}(seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, key NOT NULL)");
    }

    private Statement LogStatement() => new(connection, $"INSERT INTO {ChangeLog}(seq, kind, key) VALUES(?1, ?2, ?3)");

    private static void Log(Statement log, long sequence, ChangeKind kind, Statement keySource, KeyLayout layout)
    {
        log.Bind(1, sequence);
        log.Bind(2, (long)kind);
        StageSql.CopyKey(keySource, 0, log, 3, layout);
        log.Execute();
    }

    private IEnumerable<TableChange> ReadChangeLog(RecordShape shape) =>
        Read(
            $"SELECT c.key, c.seq, c.kind, r.body FROM {ChangeLog} c JOIN {TableSchema.Rows} r ON r.key = c.key ORDER BY c.seq",
            shape.KeyLayout
        );

    private IEnumerable<TableChange> Read(string sql, KeyLayout layout)
    {
        using var row = new Statement(connection, sql);
        while (row.Step())
        {
            yield return new TableChange(
                (ChangeKind)row.Integer(2),
                StageSql.ReadKey(row, 0, layout),
                row.Integer(1),
                row.Bytes(3).ToArray()
            );
        }
    }
}
