using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// A client that is being sent a feed, or a page of it, for the status page. Only its own request writes to it; any thread may read.
/// </summary>
internal sealed class ServedClient : ISentCount, IDisposable
{
    private const long Never = long.MinValue;

    private readonly FeedClients _clients;
    private readonly TimeProvider _time;
    private readonly long _started;
    private long _records;
    private long _bytes;
    private long _position;
    private long _behindSince;

    public ServedClient(FeedClients clients, TimeProvider time, long number, HttpRequest request, long since)
    {
        (_clients, _time, Number) = (clients, time, number);
        Path = request.Path.ToUriComponent() + Secrets.Hide(request.QueryString);
        Address = request.HttpContext.Connection.RemoteIpAddress?.ToString() ?? "";
        _position = since;
        _started = _behindSince = time.GetTimestamp();
    }

    /// <summary>Counts from 1 in order of arrival at this feed.</summary>
    public long Number { get; }

    /// <summary>Path and query, without secrets (I9).</summary>
    public string Path { get; }

    /// <summary>The address it connects from.</summary>
    public string Address { get; }

    /// <inheritdoc/>
    public long Records => Volatile.Read(ref _records);

    /// <inheritdoc/>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>The cursor up to which it has everything; until then, the one it requested.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>The time since it connected.</summary>
    public TimeSpan Duration => _time.GetElapsedTime(_started);

    /// <summary>
    /// How long there has been something for it that it has not yet taken; zero if it has everything that the source has released.
    /// </summary>
    public TimeSpan Lag => Volatile.Read(ref _behindSince) is not Never and var since ? _time.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>There is something for it.</summary>
    public void Begin()
    {
        if (_behindSince == Never)
            Volatile.Write(ref _behindSince, _time.GetTimestamp());
    }

    /// <summary>The connection has taken what was sent.</summary>
    /// <param name="records">Records so far.</param>
    /// <param name="bytes">Bytes so far.</param>
    /// <param name="position">Its position after this; null if more follows at once.</param>
    public void Sent(long records, long bytes, long? position)
    {
        Volatile.Write(ref _records, records);
        Volatile.Write(ref _bytes, bytes);
        if (position is not { } since)
            return;
        Volatile.Write(ref _position, since);
        Volatile.Write(ref _behindSince, Never);
    }

    public void Dispose() => _clients.End(this);
}
