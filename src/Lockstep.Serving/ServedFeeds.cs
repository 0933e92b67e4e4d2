using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>A server's feeds, in the order in which they were added. Thread-safe.</summary>
internal sealed class ServedFeeds
{
    private readonly Lock _gate = new();
    private volatile IReadOnlyList<ServedFeed> _all = [];

    /// <summary>The current feeds.</summary>
    public IReadOnlyList<ServedFeed> All => _all;

    /// <summary>Their sources.</summary>
    public IReadOnlyList<IFeedSource> Sources => [.. _all.Select(feed => feed.Source)];

    public void Add(ServedFeed feed)
    {
        lock (_gate)
            _all = [.. _all, feed];
    }

    /// <summary>Removes a feed; null if there is none of that name.</summary>
    public ServedFeed? Remove(string name)
    {
        lock (_gate)
        {
            var feed = _all.FirstOrDefault(feed => feed.Source.Name == name);
            _all = [.. _all.Where(other => other != feed)];
            return feed;
        }
    }
}
