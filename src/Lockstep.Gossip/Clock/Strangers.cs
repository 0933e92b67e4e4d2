namespace Lockstep.Gossip.Clock;

/// <summary>
/// The times of sources that a peer has named and the node does not know. They only save sending the peer what it already has, so what
/// exceeds the budget of all peers is not kept. Not safe for concurrent use: a node uses it under its lock.
/// </summary>
internal sealed class Strangers(Strangers.Budget budget)
{
    private Dictionary<string, Entry>? _entries;

    public int Count => _entries?.Count ?? 0;

    public IEnumerable<KeyValuePair<string, double>> All =>
        (_entries ?? []).Select(static entry => KeyValuePair.Create(entry.Key, entry.Value.Timestamp));

    public double this[string source] =>
        _entries is not null && _entries.TryGetValue(source, out var entry) ? entry.Timestamp : double.NegativeInfinity;

    public void Advance(string source, double timestamp)
    {
        if (_entries is not null && _entries.TryGetValue(source, out var entry))
        {
            entry.Timestamp = Math.Max(entry.Timestamp, timestamp);
        }
        else if (budget.TryTake(source))
        {
            (_entries ??= new(StringComparer.Ordinal)).Add(source, new Entry { Timestamp = timestamp });
        }
    }

    /// <summary>Removes a source that the node has got to know, and returns its time.</summary>
    public double Take(string source)
    {
        if (_entries is null || !_entries.Remove(source, out var entry))
        {
            return double.NegativeInfinity;
        }

        budget.GiveBack(source);
        return entry.Timestamp;
    }

    public void Clear()
    {
        foreach (var source in (_entries ?? []).Keys)
        {
            budget.GiveBack(source);
        }

        _entries = null;
    }

    private sealed class Entry
    {
        public double Timestamp { get; set; }
    }

    /// <summary>The memory that the strangers of all of a node's peers may take.</summary>
    internal sealed class Budget
    {
        public const int MaxBytes = 16 << 20;

        private const int Objects = 128;

        /// <summary>The bytes currently taken.</summary>
        public long Taken { get; private set; }

        public bool TryTake(string source)
        {
            var bytes = BytesOf(source);
            if (Taken + bytes > MaxBytes)
            {
                return false;
            }

            Taken += bytes;
            return true;
        }

        public void GiveBack(string source) => Taken -= BytesOf(source);

        private static long BytesOf(string source) => Objects + (sizeof(char) * (long)source.Length);
    }
}
