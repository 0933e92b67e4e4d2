using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using NpgsqlTypes;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// Writes records to a table within the caller's transaction: they are copied to the stage, compared by content if arrival is the order,
/// and merged by one statement, which reports what it changed. One thread at a time.
/// </summary>
internal sealed class StageMerge(WriterConnection connection)
{
    /// <summary>How many records are compared by content per query.</summary>
    private const int AtOnce = 1000;

    /// <summary>Merges records of a batch, one per key.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="places">The indexes of the records to merge.</param>
    /// <param name="sequence">The sequence number before the first one assigned.</param>
    /// <param name="target">The table.</param>
    /// <param name="wantsChanges">Whether each change is kept in the result.</param>
    /// <param name="compares">Whether the same JSON is the same record, however it is written.</param>
    /// <param name="merged">Receives what was done.</param>
    /// <returns>How many sequence numbers it took beyond one for each record, for what was deleted with a parent.</returns>
    public long Take(
        RecordBatch batch,
        IReadOnlyList<int> places,
        long sequence,
        string target,
        bool wantsChanges,
        bool compares,
        MergeResult merged
    )
    {
        if (places is [var only] && batch[only].Flags.HasFlag(EntryFlags.Parent))
            return DeleteChildren(batch.Key(batch[only]).ToArray(), sequence + only, target, wantsChanges, merged);
        var patches = Fill(batch, places, sequence);
        Run(target, TableSql.Stage, wantsChanges, batch.OrderKind == OrderKind.Arrival, compares, patches, merged);
        return 0;
    }

    /// <summary>Deletes all records whose keys begin with a parent's; each has a number of its own (I11).</summary>
    private long DeleteChildren(byte[] parent, long sequence, string target, bool wantsChanges, MergeResult merged)
    {
        long count = 0;
        connection.Read(
            TableSql.DeleteBelow(target, wantsChanges),
            row =>
            {
                var deleted = wantsChanges ? 1 : row.GetInt64(0);
                count += deleted;
                merged.Add(ChangeKind.Deleted, was: 0, deleted);
                if (wantsChanges)
                    merged.Keep(ChangeKind.Deleted, row, 0);
            },
            parent,
            KeyEncoding.EndOf(parent),
            sequence
        );
        return Math.Max(0, count - 1);
    }

    /// <summary>Copies records of a batch to the stage, one per key.</summary>
    /// <returns>The keys of those records that contain only the changed fields.</returns>
    private HashSet<string> Fill(RecordBatch batch, IReadOnlyList<int> places, long sequence)
    {
        HashSet<string> patches = new(StringComparer.Ordinal);
        connection.Run($"TRUNCATE {TableSql.Stage}");
        using var copy = connection.Copy(TableSql.CopyToStage);
        foreach (var index in places)
        {
            connection.ThrowIfInterrupted();
            ref readonly var entry = ref batch[index];
            var key = BatchRounds.KeyOf(batch, entry);
            if ((entry.Flags & (EntryFlags.Patch | EntryFlags.Deleted)) == EntryFlags.Patch)
                patches.Add(Convert.ToHexString(key));
            copy.StartRow();
            copy.Write(key, NpgsqlDbType.Bytea);
            copy.Write(sequence + index + 1, NpgsqlDbType.Bigint);
            if (batch.OrderKind == OrderKind.Number)
                copy.Write(batch.OrderOf(entry).ToString(), NpgsqlDbType.Text);
            else
                copy.WriteNull();
            if (entry.Flags.HasFlag(EntryFlags.HasTransactionId))
                copy.Write(entry.TransactionId, NpgsqlDbType.Bigint);
            else
                copy.WriteNull();
            copy.Write(entry.Flags.HasFlag(EntryFlags.Deleted) ? (short)1 : (short)0, NpgsqlDbType.Smallint);
            copy.Write(batch.Memory(entry.BodyStart, entry.BodyLength), NpgsqlDbType.Text);
        }

        copy.Complete();
        return patches;
    }

    /// <summary>
    /// The content decides what is a change: equal JSON keeps the stored text, and a record with only the changed fields is merged into the
    /// stored one.
    /// </summary>
    private void Compare(string target, string source, HashSet<string> patches)
    {
        List<byte[]> keys = [];
        List<string> bodies = [];
        byte[] last = [];
        for (var count = AtOnce; count == AtOnce; )
        {
            count = 0;
            keys.Clear();
            bodies.Clear();
            connection.Read(
                TableSql.Differing(target, source),
                row =>
                {
                    count++;
                    last = row.GetFieldValue<byte[]>(0);
                    byte[] stored = row.GetFieldValue<byte[]>(1),
                        coming = row.GetFieldValue<byte[]>(2);
                    var isPatch = patches.Contains(Convert.ToHexString(last));
                    var body = isPatch ? JsonMerge.Lay(coming, stored) : coming;
                    var isSame = JsonMerge.AreEqual(body, stored);
                    if (!isSame && !isPatch)
                        return;
                    keys.Add(last);
                    bodies.Add(Encoding.UTF8.GetString(isSame ? stored : body));
                },
                last,
                AtOnce
            );
            if (keys.Count > 0)
                connection.Run(TableSql.Rewrite(source), keys.ToArray(), bodies.ToArray());
        }
    }

    /// <summary>Merges the rows of a stage into a table.</summary>
    public void Run(
        string target,
        string source,
        bool wantsChanges,
        bool isArrival,
        bool compares,
        HashSet<string> patches,
        MergeResult merged
    )
    {
        if (isArrival || compares || patches.Count > 0)
            Compare(target, source, patches);
        connection.Read(
            TableSql.Merge(target, source, wantsChanges, isArrival),
            row =>
            {
                var (kind, was) = ((ChangeKind)row.GetInt32(0), row.GetInt32(1));
                merged.Add(kind, was, wantsChanges ? 1 : row.GetInt64(2));
                if (wantsChanges)
                    merged.Keep(kind, row, 2);
            }
        );
    }

    /// <summary>Removes the rows that are missing from a whole set.</summary>
    /// <returns>How many were removed.</returns>
    public long Sweep(int table, long sequence, TableCommit commit, MergeResult merged)
    {
        long swept = 0;
        connection.Read(
            TableSql.Sweep(table),
            row =>
            {
                swept++;
                merged.Add(ChangeKind.Deleted, was: 0, count: 1);
                if (commit.WantsChanges)
                    merged.Keep(ChangeKind.Deleted, row, 0);
            },
            sequence,
            commit.Kept.ToArray()
        );
        return swept;
    }
}
