using System.Buffers;
using System.Runtime.CompilerServices;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Applies a batch to a table of records, within the caller's transaction, by the rule of I3: a record is applied if its order value
/// is not below the stored one; a tombstone counts as stored; what comes again unchanged is no change (I4).
/// </summary>
internal sealed class RowApplier(RowStatements rows)
{
    /// <summary>How the stored live records and tombstones changed in number.</summary>
    public long RowsAdded { get; private set; }

    /// <summary>How the number of tombstones changed.</summary>
    public long TombstonesAdded { get; private set; }

    public ApplyCounts Counts { get; private set; }

    /// <summary>Applies all records of the batch.</summary>
    /// <param name="batch">The records.</param>
    /// <param name="sequence">The sequence number before the batch: the n-th arrival gets this plus n (I11).</param>
    /// <param name="tableIsEmpty">Whether nothing is stored yet, so that nothing need be looked up.</param>
    /// <param name="changes">Where the changes go, in the order of their sequence; null when nobody wants them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Apply(RecordBatch batch, long sequence, bool tableIsEmpty, List<TableChange>? changes)
    {
        if (!batch.IsCoalesced)
        {
            for (int i = 0; i < batch.Count; i++) Apply(batch, i, sequence, insertOnly: false, changes);
            return;
        }

        int before = changes?.Count ?? 0;
        int[] pooled = ArrayPool<int>.Shared.Rent(batch.Count);
        int count = batch.NewestByKey(pooled);
        foreach (int index in pooled.AsSpan(0, count)) Apply(batch, index, sequence, tableIsEmpty, changes);
        ArrayPool<int>.Shared.Return(pooled);
        // They were written in the order of their keys.
        changes?.Sort(before, changes.Count - before, Comparer<TableChange>.Create(static (a, b) => a.Sequence.CompareTo(b.Sequence)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Apply(RecordBatch batch, int index, long sequence, bool insertOnly, List<TableChange>? changes)
    {
        rows.ThrowIfInterrupted();
        ref RecordEntry entry = ref batch[index];
        sequence += index + 1;
        ChangeKind? kind = insertOnly ? InsertRow(batch, entry, sequence) : ApplyOne(batch, entry, sequence);
        if (kind is not { } changed) return;
        Counts = Counts.With(changed);
        changes?.Add(new TableChange(changed, batch.KeyOf(entry), sequence, batch.Memory(entry.BodyStart, entry.BodyLength)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ChangeKind? ApplyOne(RecordBatch batch, in RecordEntry entry, long sequence)
    {
        Statement select = rows.Select;
        BindKey(select, batch, entry);
        if (!select.Step())
        {
            select.Reset();
            return InsertRow(batch, entry, sequence);
        }

        var state = (RowState)select.Integer(RowStatements.GoneColumn);
        int order = CompareWithStored(batch, entry, select);
        bool loses = order < 0 || (order == 0 && state == RowState.Swept && !select.IsNull(RowStatements.OrderColumn));
        if (loses)
        {
            select.Reset();
            return null;
        }

        bool isDeleted = (entry.Flags & EntryFlags.Deleted) != 0;
        if (state == (isDeleted ? RowState.Deleted : RowState.Live) && IsSame(batch, entry, select))
        {
            select.Reset();
            if (order > 0) RaiseOrder(batch, entry);
            return null;
        }

        select.Reset();
        BindRow(rows.Update, batch, entry, sequence);
        rows.Update.Execute();
        if (state == RowState.Live)
        {
            if (!isDeleted) return ChangeKind.Updated;
            RowsAdded--;
            TombstonesAdded++;
            return ChangeKind.Deleted;
        }

        if (isDeleted) return ChangeKind.Deleted;
        RowsAdded++;
        TombstonesAdded--;
        return ChangeKind.Added;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ChangeKind InsertRow(RecordBatch batch, in RecordEntry entry, long sequence)
    {
        BindRow(rows.Insert, batch, entry, sequence);
        rows.Insert.Execute();
        if ((entry.Flags & EntryFlags.Deleted) != 0)
        {
            TombstonesAdded++;
            return ChangeKind.Deleted;
        }

        RowsAdded++;
        return ChangeKind.Added;
    }

    private void RaiseOrder(RecordBatch batch, in RecordEntry entry)
    {
        BindKey(rows.UpdateOrder, batch, entry);
        BindOrder(rows.UpdateOrder, RowStatements.OnlyOrderParameter, batch, entry);
        rows.UpdateOrder.Execute();
    }

    /// <summary>An order value that was never known, as a new feed identity leaves it, is below all.</summary>
    private static int CompareWithStored(RecordBatch batch, in RecordEntry entry, Statement stored)
    {
        if (stored.IsNull(RowStatements.OrderColumn)) return 1;
        return stored.IsInteger(RowStatements.OrderColumn)
            ? batch.CompareOrder(entry, false, stored.Integer(RowStatements.OrderColumn), default)
            : batch.CompareOrder(entry, true, 0, stored.Bytes(RowStatements.OrderColumn));
    }

    private static bool IsSame(RecordBatch batch, in RecordEntry entry, Statement stored)
    {
        bool hasTransaction = (entry.Flags & EntryFlags.HasTransactionId) != 0;
        if (stored.IsNull(RowStatements.TransactionColumn) == hasTransaction) return false;
        if (hasTransaction && stored.Integer(RowStatements.TransactionColumn) != entry.TransactionId) return false;
        return stored.Bytes(RowStatements.BodyColumn).SequenceEqual(batch.Body(entry));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BindRow(Statement statement, RecordBatch batch, in RecordEntry entry, long sequence)
    {
        BindKey(statement, batch, entry);
        statement.Bind(RowStatements.SequenceParameter, sequence);
        BindOrder(statement, RowStatements.OrderParameter, batch, entry);
        if ((entry.Flags & EntryFlags.HasTransactionId) != 0)
        {
            statement.Bind(RowStatements.TransactionParameter, entry.TransactionId);
        }
        else
        {
            statement.BindNull(RowStatements.TransactionParameter);
        }

        statement.Bind(RowStatements.GoneParameter, (entry.Flags & EntryFlags.Deleted) != 0 ? (long)RowState.Deleted : (long)RowState.Live);
        statement.BindPinnedText(RowStatements.BodyParameter, batch.Body(entry));
    }

    private static void BindKey(Statement statement, RecordBatch batch, in RecordEntry entry)
    {
        if (batch.Layout == KeyLayout.Integer)
        {
            statement.Bind(RowStatements.KeyParameter, entry.IntegerKey);
        }
        else
        {
            statement.BindPinnedBlob(RowStatements.KeyParameter, batch.Key(entry));
        }
    }

    private static void BindOrder(Statement statement, int parameter, RecordBatch batch, in RecordEntry entry)
    {
        if ((entry.Flags & EntryFlags.OrderIsText) != 0)
        {
            statement.BindPinnedText(parameter, batch.Order(entry));
        }
        else
        {
            statement.Bind(parameter, entry.IntegerOrder);
        }
    }
}
