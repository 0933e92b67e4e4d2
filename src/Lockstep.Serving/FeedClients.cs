using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>The readers of a feed, and what they have been sent in total since the server started. Thread-safe.</summary>
internal sealed class FeedClients(TimeProvider time)
{
    private readonly SentTotals<ServedClient> _sent = new();
    private long _count;

    /// <summary>The clients being answered, oldest first.</summary>
    public IEnumerable<ServedClient> Open => _sent.Open.OrderBy(client => client.Number);

    /// <summary>Records and bytes of bodies sent so far.</summary>
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
