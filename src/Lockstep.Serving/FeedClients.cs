using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>The readers of one feed, and what all of them were sent since the server's start. Thread-safe.</summary>
internal sealed class FeedClients(TimeProvider time)
{
    private readonly SentTotals<ServedClient> _sent = new();
    private long _count;

    /// <summary>Those being answered, the oldest first.</summary>
    public IEnumerable<ServedClient> Open => _sent.Open.OrderBy(client => client.Number);

    /// <summary>Records and bytes of bodies, as of now.</summary>
    public (long Records, long Bytes) Sent => _sent.Now;

    /// <summary>Counts a client until it is disposed.</summary>
    public ServedClient Begin(HttpRequest request, long since)
    {
        ServedClient client = new(this, time, Interlocked.Increment(ref _count), request, since);
        _sent.Begin(client);
        return client;
    }

    public void End(ServedClient client) => _sent.End(client);
}
