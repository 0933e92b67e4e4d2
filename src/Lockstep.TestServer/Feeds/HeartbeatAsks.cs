using Lockstep.Serving.Hosting;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// The heartbeats that a test requests, which go to every client connected to an endless answer by then. Thread-safe.
/// </summary>
internal sealed class HeartbeatAsks
{
    private readonly Lock _gate = new();
    private readonly List<Ask> _asks = [];
    private readonly Pulse _asked = new();

    /// <param name="Kind">What it looks like.</param>
    /// <param name="Requests">How many requests had come by then: it goes to those of them that are still connected, however far they
    /// are.</param>
    private readonly record struct Ask(HeartbeatKind Kind, long Requests);

    /// <summary>Completes when one is requested. Take it before checking.</summary>
    public Task Next => _asked.Next;

    /// <summary>Sends a heartbeat to every connected client.</summary>
    /// <param name="kind">What it looks like.</param>
    /// <param name="requests">How many requests there were so far.</param>
    public void Add(HeartbeatKind kind, long requests)
    {
        lock (_gate)
            _asks.Add(new Ask(kind, requests));
        _asked.Raise();
    }

    /// <summary>How many had been requested when a request came.</summary>
    /// <param name="request">Its number.</param>
    public AskedHeartbeats Before(long request)
    {
        lock (_gate)
        {
            var before = _asks.Count;
            while (before > 0 && _asks[before - 1].Requests >= request)
                before--;
            return new AskedHeartbeats(before);
        }
    }

    /// <summary>Whether there is one that a response lacks.</summary>
    public bool Has(AskedHeartbeats asked)
    {
        lock (_gate)
            return asked.Count < _asks.Count;
    }

    /// <summary>Takes the next one that a response lacks.</summary>
    public bool TryTake(AskedHeartbeats asked, out HeartbeatKind kind)
    {
        lock (_gate)
        {
            var pending = asked.Count < _asks.Count;
            kind = pending ? _asks[asked.Count++].Kind : default;
            return pending;
        }
    }
}

/// <summary>How many of the requested heartbeats one response has sent.</summary>
internal sealed class AskedHeartbeats(int count)
{
    public int Count { get; set; } = count;
}
