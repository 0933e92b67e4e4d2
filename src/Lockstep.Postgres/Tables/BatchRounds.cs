using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Postgres.Tables;

/// <summary>Splits a batch into parts to merge at once: a key that occurs twice would break the upsert.</summary>
internal static class BatchRounds
{
    /// <summary>
    /// The indexes of the batch's records, in rounds in which no key occurs twice; if only the newest record of each key is to be applied,
    /// a single round of those. What deletes the children of a parent is a round of its own.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<int>> Of(RecordBatch batch)
    {
        if (batch.IsCoalesced)
            return [Newest(batch)];
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        List<List<int>> rounds = [];
        var before = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            if (batch[i].Flags.HasFlag(EntryFlags.Parent))
            {
                rounds.Add([i]);
                before = rounds.Count;
                seen.Clear();
                continue;
            }

            var key = Encoding.Latin1.GetString(KeyOf(batch, batch[i]));
            var round = seen[key] = seen.GetValueOrDefault(key, before) + 1;
            if (rounds.Count < round)
                rounds.Add([]);
            rounds[round - 1].Add(i);
        }

        return rounds;
    }

    /// <summary>The newest record of each key.</summary>
    public static IReadOnlyList<int> Newest(RecordBatch batch)
    {
        var places = new int[batch.Count];
        return new ArraySegment<int>(places, 0, batch.NewestByKey(places));
    }

    /// <summary>Always encoded: PostgreSQL has no rowid that would make plain integers faster.</summary>
    public static byte[] KeyOf(RecordBatch batch, in RecordEntry entry) =>
        batch.Layout == KeyLayout.Integer ? KeyEncoding.Encode(entry.IntegerKey).ToArray() : batch.Key(entry).ToArray();
}
