using System.Collections;

namespace Lockstep.Gossip.Clock;

/// <summary>
/// The newest known timestamp of each source. A node with a clock entry has every update of that source up to it, or what replaced it.
/// Sources compare ordinally. Not safe for concurrent use: a node hands out copies.
/// </summary>
public sealed class GossipClock : IReadOnlyCollection<KeyValuePair<string, double>>
{
    private const int PageLength = 64;

    private readonly SourceIndex _sources;

    /// <summary>In a peer's clock, its entries for sources that the node does not know; null in a clock that adds its sources.</summary>
    private readonly Strangers? _strangers;

    /// <summary>
    /// The times by source number. Only the clock that owns a page writes to it: the clocks of a thousand peers that have what the node has
    /// consist of the node's own pages.
    /// </summary>
    private Page?[] _pages = [];

    /// <summary>An empty clock.</summary>
    public GossipClock()
        : this(new SourceIndex()) { }

    /// <summary>A node's clock, which adds sources that it does not have.</summary>
    internal GossipClock(SourceIndex sources) => _sources = sources;

    /// <summary>The clock of a peer of the node with these sources.</summary>
    internal GossipClock(SourceIndex sources, Strangers.Budget strangers)
        : this(sources) => _strangers = new Strangers(strangers);

    /// <summary>The newest timestamp (milliseconds since 1970) of a source, or negative infinity if nothing is known from it.</summary>
    public double this[string source] => _sources.Find(source) is { } known ? this[known] : _strangers?[source] ?? double.NegativeInfinity;

    /// <summary>The number of sources, counted on each call.</summary>
    public int Count => this.Aggregate(0, static (count, _) => count + 1);

    /// <summary>How many pages this clock owns.</summary>
    internal int OwnPages { get; private set; }

    /// <summary>The time of a source in <see cref="Uses">the clock's own index</see>.</summary>
    internal double this[KnownSource source]
    {
        get
        {
            var page = source.Number / PageLength < _pages.Length ? _pages[source.Number / PageLength] : null;
            var time = page is null ? double.NegativeInfinity : page.Times[source.Number % PageLength];
            return _strangers is { Count: > 0 } ? Math.Max(time, _strangers[source.Name]) : time;
        }
    }

    /// <summary>Whether the clock says that this update is already known.</summary>
    public bool Covers(GossipUpdate update) => update.Timestamp <= this[update.Source];

    /// <summary>An independent clock with the same entries.</summary>
    public GossipClock Copy()
    {
        var copy = new GossipClock();
        copy.Advance(this);
        return copy;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, double>> GetEnumerator()
    {
        for (var number = 0; number < Math.Min(_sources.Count, _pages.Length * PageLength); number++)
        {
            if (EntryAt(number) is { Value: > double.NegativeInfinity } entry)
            {
                yield return entry;
            }
        }

        foreach (var stranger in _strangers?.All.ToArray() ?? [])
        {
            if (_sources.Find(stranger.Key) is null)
            {
                yield return stranger;
            }
        }
    }

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The number of places for <see cref="EntryAt"/>.</summary>
    internal int Places => _sources.Count;

    /// <summary>
    /// The entry of source number <paramref name="number"/>, from 0: entries keep their place as the clock grows. Its time may be negative
    /// infinity.
    /// </summary>
    internal KeyValuePair<string, double> EntryAt(int number) => KeyValuePair.Create(_sources[number].Name, this[_sources[number]]);

    internal bool Uses(SourceIndex sources) => _sources == sources;

    internal void Advance(string source, double timestamp)
    {
        if (timestamp == double.NegativeInfinity)
        {
            return;
        }

        if (_strangers is null)
        {
            Advance(_sources.FindOrAdd(source), timestamp);
        }
        else if (_sources.Find(source) is { } known)
        {
            Settle(known);
            Advance(known, timestamp);
        }
        else
        {
            _strangers.Advance(source, timestamp);
        }
    }

    internal void Lower(string source, double timestamp)
    {
        if (_sources.Find(source) is not { } known)
        {
            return;
        }

        Settle(known);
        if (timestamp < this[known])
        {
            OwnPage(known.Number / PageLength).Times[known.Number % PageLength] = timestamp;
        }
    }

    internal void Advance(GossipClock other) => Advance(other, true);

    /// <param name="other">The clock up to which this one advances.</param>
    /// <param name="strangers">Whether to keep entries for sources that the node does not know.</param>
    internal void Advance(GossipClock other, bool strangers)
    {
        foreach (var (source, timestamp) in other)
        {
            if (strangers || _sources.Find(source) is not null)
            {
                Advance(source, timestamp);
            }
        }
    }

    /// <summary>Forgets everything, and frees what it took of the budget for strangers.</summary>
    internal void Clear()
    {
        _pages = [];
        OwnPages = 0;
        _strangers?.Clear();
    }

    /// <summary>Replaces its own pages with those of a clock of the same sources, where that makes no difference to anybody.</summary>
    /// <param name="other">The clock.</param>
    /// <param name="isSame">Whether a source's earlier time in this clock means the same as the later one in the other.</param>
    internal void Share(GossipClock other, Func<KnownSource, double, bool> isSame)
    {
        for (var page = 0; page < Math.Min(_pages.Length, other._pages.Length); page++)
        {
            if (_pages[page] is { } mine && mine.Owner == this && other._pages[page] is { } theirs && IsSame(page, mine, theirs, isSame))
            {
                other.Disown(theirs);
                _pages[page] = theirs;
                OwnPages--;
            }
        }
    }

    private bool IsSame(int page, Page mine, Page theirs, Func<KnownSource, double, bool> isSame)
    {
        for (var i = 0; i < PageLength; i++)
        {
            var time = mine.Times[i];
            if (time != theirs.Times[i] && !(time < theirs.Times[i] && isSame(_sources[(page * PageLength) + i], time)))
            {
                return false;
            }
        }

        return true;
    }

    private void Disown(Page page)
    {
        if (page.Owner == this)
        {
            page.Owner = null;
            OwnPages--;
        }
    }

    /// <summary>Handles a stranger that the node has got to know.</summary>
    private void Settle(KnownSource source)
    {
        if (_strangers is { Count: > 0 })
        {
            Advance(source, _strangers.Take(source.Name));
        }
    }

    private void Advance(KnownSource source, double timestamp)
    {
        var number = source.Number / PageLength;
        var page = number < _pages.Length ? _pages[number] : null;
        if (page is null ? timestamp > double.NegativeInfinity : timestamp > page.Times[source.Number % PageLength])
        {
            (page?.Owner == this ? page : OwnPage(number)).Times[source.Number % PageLength] = timestamp;
        }
    }

    private Page OwnPage(int number)
    {
        if (number >= _pages.Length)
        {
            Array.Resize(ref _pages, Math.Max(number + 1, _pages.Length + (_pages.Length / 2)));
        }

        if (_pages[number] is { } page && page.Owner == this)
        {
            return page;
        }

        OwnPages++;
        return _pages[number] = new Page(this, _pages[number]);
    }

    private sealed class Page
    {
        public Page(GossipClock owner, Page? other)
        {
            Owner = owner;
            if (other is null)
            {
                Array.Fill(Times, double.NegativeInfinity);
            }
            else
            {
                other.Times.CopyTo(Times, 0);
            }
        }

        /// <summary>The clock that may write to it; null for a shared page.</summary>
        public GossipClock? Owner { get; set; }

        public double[] Times { get; } = new double[PageLength];
    }
}
