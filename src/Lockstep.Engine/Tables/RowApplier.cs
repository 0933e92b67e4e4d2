using System.Buffers;
using System.Runtime.CompilerServices;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>Whether to leave out a record of a batch.</summary>
internal delegate bool RecordFilter(RecordBatch batch, ref RecordEntry entry);

/// <summary>Applies a batch to a table of records by <see cref="RecordRule"/> (I3), in the caller's transaction.</summary>
internal sealed class RowApplier(RowStatements rows)
{
    // The last record replaced a live one, or was new, so the next probably is too.
    private bool _replaces;
    private bool _inserts;

    /// <summary>What was changed, and how the numbers of live records and tombstones changed.</summary>
    public RowTally Tally { get; } = new();

    /// <summary>Whether a record must not be applied; null to apply all. It may replace the record's body.</summary>
    public RecordFilter? Leaves { get; init; }

    /// <summary>Called with the key of a parent before all records whose keys begin with it are deleted; null for nobody.</summary>
    public Action<byte[]>? DeletesBelow { get; init; }

    /// <summary>How many sequence numbers the batch took beyond one for each of its records, for what was deleted with a parent.</summary>
    public long Extra { get; private set; }

    /// <summary>
    /// What was deleted with parents, if changes are wanted: they are not among the other changes, except those of records that came again.
    /// </summary>
    public List<DeletedChildren> Deleted { get; } = [];

    /// <summary>Applies all records of the batch.</summary>
    /// <param name="batch">The records.</param>
    /// <param name="sequence">
    /// The sequence number before the batch: the n-th arrival gets this plus n (I11), and <see cref="Extra"/>.
    /// </param>
    /// <param name="changes">Receives the changes, in order of sequence; null if nobody wants them.</param>
    [MethodImpl(HotCode.Options)]
    public void Apply(RecordBatch batch, long sequence, List<TableChange>? changes)
    {
        if (batch.HasParents)
        {
            ApplyInOrder(batch, sequence, changes);
            return;
        }

        var before = changes?.Count ?? 0;
        var pooled = ArrayPool<int>.Shared.Rent(batch.Count);
        var count = batch.NewestByKey(pooled);
        // If each key occurs once, each version is the newest.
        if (!batch.IsCoalesced && count < batch.Count)
        {
            ArrayPool<int>.Shared.Return(pooled);
            ApplyInOrder(batch, sequence, changes);
            return;
        }

        if (Leaves is not null)
            count = Leave(batch, pooled.AsSpan(0, count));
        ReadOnlySpan<int> newest = pooled.AsSpan(0, count);
        var lookedUp = batch.OrderKind == OrderKind.Arrival && batch.HasTombstones ? count : CountUpToLastStored(batch, newest);
        for (var i = 0; i < lookedUp; i++)
        {
            batch.Prefetch(newest, i);
            Apply(batch, newest[i], sequence, changes);
        }

        Insert(batch, newest[lookedUp..], sequence, changes);
        ArrayPool<int>.Shared.Return(pooled);
        // They were written in key order.
        changes?.Sort(before, changes.Count - before, Comparer<TableChange>.Create(static (a, b) => a.Sequence.CompareTo(b.Sequence)));
    }

    private void ApplyInOrder(RecordBatch batch, long sequence, List<TableChange>? changes)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            ref var entry = ref batch[i];
            if ((entry.Flags & EntryFlags.Parent) != 0)
                DeleteChildren(batch, entry, sequence + i + Extra, changes);
            else if (Leaves?.Invoke(batch, ref entry) != true)
                Apply(batch, i, sequence + Extra, changes);
        }

        if (Deleted.Count > 0)
            changes?.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));
    }

    /// <summary>Deletes all records whose keys begin with a parent's; each keeps its content, and has a number of its own (I11).</summary>
    private void DeleteChildren(RecordBatch batch, in RecordEntry parent, long sequence, List<TableChange>? changes)
    {
        var key = batch.Key(parent).ToArray();
        DeletesBelow?.Invoke(key);
        var (select, delete) = (rows.SelectBelow, rows.DeleteBelow);
        select.BindBlob(1, key);
        select.BindBlob(2, KeyEncoding.EndOf(key));
        var count = 0L;
        while (select.Step())
        {
            rows.ThrowIfInterrupted();
            var child = select.Bytes(0);
            delete.BindBlob(RowStatements.KeyParameter, child);
            delete.Bind(RowStatements.SequenceParameter, sequence + ++count);
            delete.Execute();
            Tally.Add(ChangeKind.Deleted, RowState.Live);
        }

        select.Reset();
        Extra += Math.Max(0, count - 1);
        if (changes is not null && count > 0)
            Deleted.Add(new DeletedChildren(key, sequence, sequence + count));
    }

    /// <summary>A record that was deleted with its parent comes again: after that, the table does not show its deletion.</summary>
    private void NoteDeletion(RecordBatch batch, in RecordEntry entry, List<TableChange> changes)
    {
        var select = rows.SelectChange;
        BindKey(select, RowStatements.KeyParameter, batch, entry);
        if (select.Step() && select.Integer(0) is var sequence && Deleted.Exists(deleted => deleted.Has(sequence)))
            changes.Add(new TableChange(ChangeKind.Deleted, batch.KeyOf(entry), sequence, select.Bytes(1).ToArray()));
        select.Reset();
    }

    /// <summary>Keeps the places of the records that are to be applied.</summary>
    private int Leave(RecordBatch batch, Span<int> places)
    {
        var kept = 0;
        foreach (var place in places)
        {
            rows.ThrowIfInterrupted();
            if (!Leaves!(batch, ref batch[place]))
                places[kept++] = place;
        }

        return kept;
    }

    [MethodImpl(HotCode.Options)]
    private void Apply(RecordBatch batch, int index, long sequence, List<TableChange>? changes)
    {
        rows.ThrowIfInterrupted();
        ref var entry = ref batch[index];
        Apply(batch, ref entry, sequence + index + 1, changes);
    }

    /// <summary>How many of the records, which are in key order, are not above everything stored: the others need no lookup.</summary>
    private int CountUpToLastStored(RecordBatch batch, ReadOnlySpan<int> places)
    {
        var last = rows.SelectLastKey;
        last.Step();
        var count = 0;
        for (var above = last.IsNull(0) ? 0 : places.Length; count < above; )
        {
            var middle = (count + above) / 2;
            ref var entry = ref batch[places[middle]];
            var order =
                batch.Layout == KeyLayout.Integer
                    ? entry.IntegerKey.CompareTo(last.Integer(0))
                    : batch.Key(entry).SequenceCompareTo(last.Bytes(0));
            if (order <= 0)
            {
                count = middle + 1;
            }
            else
            {
                above = middle;
            }
        }

        last.Reset();
        return count;
    }

    /// <summary>Inserts records that are not stored yet, in key order.</summary>
    [MethodImpl(HotCode.Options)]
    private void Insert(RecordBatch batch, ReadOnlySpan<int> places, long sequence, List<TableChange>? changes)
    {
        while (!places.IsEmpty)
        {
            rows.ThrowIfInterrupted();
            batch.Prefetch(places, at: 0);
            var count = places.Length < RowStatements.ManyRows ? 1 : RowStatements.ManyRows;
            var insert = count == 1 ? rows.Insert : rows.InsertMany;
            for (var i = 0; i < count; i++)
                BindRow(insert, i * RowStatements.Parameters, batch, batch[places[i]], sequence + places[i] + 1);
            insert.Execute();
            foreach (var place in places[..count])
                NoteInserted(batch, batch[place], sequence + place + 1, changes);
            places = places[count..];
        }
    }

    [MethodImpl(HotCode.Options)]
    private void Apply(RecordBatch batch, ref RecordEntry entry, long sequence, List<TableChange>? changes)
    {
        if (_replaces && CanReplace(batch, entry))
        {
            BindRow(rows.Replace, 0, batch, entry, sequence);
            _replaces = rows.Replace.ExecuteAndCount() > 0;
            if (_replaces)
            {
                Note(ChangeKind.Updated, RowState.Live, batch, entry, sequence, changes);
                return;
            }
        }

        if (_inserts && !IsOfNothing(batch, entry))
        {
            BindRow(rows.InsertNew, 0, batch, entry, sequence);
            _inserts = rows.InsertNew.ExecuteAndCount() > 0;
            if (_inserts)
            {
                NoteInserted(batch, entry, sequence, changes);
                return;
            }
        }

        var select = rows.Select;
        BindKey(select, RowStatements.KeyParameter, batch, entry);
        if (!select.Step())
        {
            select.Reset();
            if (IsOfNothing(batch, entry))
                return;
            BindRow(rows.Insert, 0, batch, entry, sequence);
            rows.Insert.Execute();
            NoteInserted(batch, entry, sequence, changes);
            _inserts = true;
            return;
        }

        var stored = (RowState)select.Integer(RowStatements.GoneColumn);
        if (stored != RowState.Live && IsOfNothing(batch, entry))
        {
            select.Reset();
            return;
        }

        if (stored == RowState.Live && (entry.Flags & (EntryFlags.Patch | EntryFlags.Deleted)) == EntryFlags.Patch)
            batch.ReplaceBody(ref entry, JsonMerge.Lay(batch.Body(entry), select.Bytes(RowStatements.BodyColumn)));
        var order = CompareWithStored(batch, entry, select);
        var coming = StateOf(entry);
        var verdict = RecordRule.Judge(
            stored,
            order,
            coming,
            isSame: order >= 0 && stored == coming && IsSame(batch, entry, select, order)
        );
        select.Reset();
        if (verdict == Verdict.OrderRises)
            RaiseOrder(batch, entry);
        if (verdict.Change() is not { } kind)
            return;
        if (changes is not null && Deleted.Count > 0 && stored == RowState.Deleted)
            NoteDeletion(batch, entry, changes);
        BindRow(rows.Update, 0, batch, entry, sequence);
        rows.Update.Execute();
        _replaces |= kind == ChangeKind.Updated;
        Note(kind, stored, batch, entry, sequence, changes);
    }

    /// <summary>
    /// Whether SQLite alone can tell that a record replaces the stored one: it is live and whole, and its order value is a number of 64
    /// bits.
    /// </summary>
    private static bool CanReplace(RecordBatch batch, in RecordEntry entry) =>
        batch.OrderKind == OrderKind.Number && (entry.Flags & ~EntryFlags.HasTransactionId) == 0;

    /// <summary>
    /// Whether it deletes a record that is not here: it never was, or has already gone. If arrival is the order, there is nothing older
    /// that its tombstone would have to keep out.
    /// </summary>
    private static bool IsOfNothing(RecordBatch batch, in RecordEntry entry) =>
        batch.OrderKind == OrderKind.Arrival && (entry.Flags & EntryFlags.Deleted) != 0;

    private void NoteInserted(RecordBatch batch, in RecordEntry entry, long sequence, List<TableChange>? changes) =>
        Note(StateOf(entry) == RowState.Live ? ChangeKind.Added : ChangeKind.Deleted, was: null, batch, entry, sequence, changes);

    private void Note(ChangeKind kind, RowState? was, RecordBatch batch, in RecordEntry entry, long sequence, List<TableChange>? changes)
    {
        Tally.Add(kind, was);
        changes?.Add(new TableChange(kind, batch.KeyOf(entry), sequence, batch.Memory(entry.BodyStart, entry.BodyLength)));
    }

    private void RaiseOrder(RecordBatch batch, in RecordEntry entry)
    {
        BindKey(rows.UpdateOrder, RowStatements.KeyParameter, batch, entry);
        BindOrder(rows.UpdateOrder, RowStatements.OnlyOrderParameter, batch, entry);
        BindTransaction(rows.UpdateOrder, RowStatements.OnlyTransactionParameter, entry);
        rows.UpdateOrder.Execute();
    }

    /// <summary>An order value that is unknown, as after a new feed identity, is below all.</summary>
    private static int CompareWithStored(RecordBatch batch, in RecordEntry entry, Statement stored)
    {
        if (stored.IsNull(RowStatements.OrderColumn))
            return batch.OrderKind == OrderKind.Arrival ? 0 : 1;
        return stored.IsInteger(RowStatements.OrderColumn)
            ? batch.CompareOrder(entry, false, stored.Integer(RowStatements.OrderColumn), default)
            : batch.CompareOrder(entry, true, 0, stored.Bytes(RowStatements.OrderColumn));
    }

    /// <summary>Content decides what is a change; the transaction that repeated the same content does not.</summary>
    private static bool IsSame(RecordBatch batch, in RecordEntry entry, Statement stored, int order) =>
        StageSql.IsSameBody(stored.Bytes(RowStatements.BodyColumn), batch.Body(entry), batch.OrderKind, order);

    /// <param name="statement">An insert or the update.</param>
    /// <param name="before">How many of its parameters belong to earlier rows.</param>
    /// <param name="batch">Holds the record.</param>
    /// <param name="entry">The record.</param>
    /// <param name="sequence">The number of its change.</param>
    [MethodImpl(HotCode.Options)]
    private static void BindRow(Statement statement, int before, RecordBatch batch, in RecordEntry entry, long sequence)
    {
        BindKey(statement, before + RowStatements.KeyParameter, batch, entry);
        statement.Bind(before + RowStatements.SequenceParameter, sequence);
        BindOrder(statement, before + RowStatements.OrderParameter, batch, entry);
        BindTransaction(statement, before + RowStatements.TransactionParameter, entry);
        statement.Bind(before + RowStatements.GoneParameter, (long)StateOf(entry));
        statement.BindPinnedText(before + RowStatements.BodyParameter, batch.Body(entry));
    }

    private static RowState StateOf(in RecordEntry entry) => (entry.Flags & EntryFlags.Deleted) != 0 ? RowState.Deleted : RowState.Live;

    /// <summary>Binds a record's key.</summary>
    public static void BindKey(Statement statement, int parameter, RecordBatch batch, in RecordEntry entry)
    {
        if (batch.Layout == KeyLayout.Integer)
        {
            statement.Bind(parameter, entry.IntegerKey);
        }
        else
        {
            statement.BindPinnedBlob(parameter, batch.Key(entry));
        }
    }

    private static void BindTransaction(Statement statement, int parameter, in RecordEntry entry)
    {
        if ((entry.Flags & EntryFlags.HasTransactionId) != 0)
        {
            statement.Bind(parameter, entry.TransactionId);
        }
        else
        {
            statement.BindNull(parameter);
        }
    }

    private static void BindOrder(Statement statement, int parameter, RecordBatch batch, in RecordEntry entry)
    {
        if (batch.OrderKind == OrderKind.Arrival)
        {
            statement.BindNull(parameter);
        }
        else if ((entry.Flags & EntryFlags.OrderIsText) != 0)
        {
            statement.BindPinnedText(parameter, batch.Order(entry));
        }
        else
        {
            statement.Bind(parameter, entry.IntegerOrder);
        }
    }
}
