using System.Collections;

namespace Lockstep.Gossip.Clock;

/// <summary>
/// The newest known timestamp of each source. A node with a clock entry has every update of that source up to it, or what replaced it.
/// Sources compare ordinally. Not safe for concurrent use: a node hands out copies.
/// </summary>
public sealed class GossipClock : IReadOnlyCollection<KeyValuePair<string, double>>
{
    // Cells, because they are looked up several times per update: a dictionary of references is precompiled with the framework, one of
    // numbers is compiled again in each process.
    private readonly Dictionary<string, Cell> _entries = new(StringComparer.Ordinal);

    /// <summary>The same cells in the order in which they came, for who reads the clock piece by piece while it grows.</summary>
    private readonly List<Cell> _inOrder = [];

    /// <summary>
    /// The cell looked up last: updates often come many of one source in a row, and comparing two equal ids costs less than hashing one.
    /// </summary>
    private Cell? _last;

    /// <summary>The newest timestamp (milliseconds since 1970) of a source, or negative infinity if nothing is known from it.</summary>
    public double this[string source] => Find(source)?.Timestamp ?? double.NegativeInfinity;

    /// <summary>The number of sources.</summary>
    public int Count => _entries.Count;

    /// <summary>Whether the clock says that this update is already known.</summary>
    public bool Covers(GossipUpdate update) => update.Timestamp <= this[update.Source];

    /// <summary>An independent clock with the same entries.</summary>
    public GossipClock Copy()
    {
        var copy = new GossipClock();
        copy.Replace(this);
        return copy;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, double>> GetEnumerator() =>
        _entries.Select(static entry => KeyValuePair.Create(entry.Key, entry.Value.Timestamp)).GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal void Advance(string source, double timestamp)
    {
        if (Find(source) is not { } cell)
        {
            if (timestamp > double.NegativeInfinity)
            {
                Add(source, timestamp);
            }
        }
        else if (timestamp > cell.Timestamp)
        {
            cell.Timestamp = timestamp;
        }
    }

    /// <summary>The entries of the sources that the other clock has too.</summary>
    internal GossipClock Within(GossipClock other)
    {
        var within = new GossipClock();
        foreach (var source in other._entries.Keys)
        {
            within.Advance(source, this[source]);
        }

        return within;
    }

    internal void Lower(string source, double timestamp)
    {
        if (Find(source) is { } cell && timestamp < cell.Timestamp)
        {
            cell.Timestamp = timestamp;
        }
    }

    internal void Advance(GossipClock other)
    {
        foreach (var (source, cell) in other._entries)
        {
            Advance(source, cell.Timestamp);
        }
    }

    internal void Replace(GossipClock other)
    {
        _entries.Clear();
        _inOrder.Clear();
        _last = null;
        foreach (var cell in other._inOrder)
        {
            Add(cell.Source, cell.Timestamp);
        }
    }

    /// <summary>The entry that came as number <paramref name="index"/>, from 0; entries stay at their place as the clock grows.</summary>
    internal KeyValuePair<string, double> EntryAt(int index) => KeyValuePair.Create(_inOrder[index].Source, _inOrder[index].Timestamp);

    private void Add(string source, double timestamp)
    {
        var cell = new Cell(source) { Timestamp = timestamp };
        _entries.Add(source, cell);
        _inOrder.Add(cell);
    }

    private Cell? Find(string source)
    {
        var last = _last;
        if (last is not null && last.Source == source)
        {
            return last;
        }

        return _entries.TryGetValue(source, out var cell) ? _last = cell : null;
    }

    private sealed class Cell(string source)
    {
        public string Source { get; } = source;

        public double Timestamp { get; set; }
    }
}
