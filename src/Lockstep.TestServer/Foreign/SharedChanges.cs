using System.Buffers;
using System.Text;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Foreign;

/// <summary>The changes of a feed in another server's dialect, as all live clients of one stream get them.</summary>
internal sealed class SharedChanges(ChangeStream stream, RecordChanges log, HeartbeatAsks asks, TimeProvider time) : ISharedStream
{
    private const int MostChanges = 256;

    public int Count => log.Count;

    public SharedPiece Read(int from, int end)
    {
        var changes = log.Read(from, Math.Min(end - from, MostChanges));
        ArrayBufferWriter<byte> payload = new();
        foreach (var change in changes)
            payload.Write(stream.Frame(change).Span);
        var position = changes[^1].Sequence;
        if (log.Count <= position)
            payload.Write(Encoding.UTF8.GetBytes(stream.CaughtUp(position)));
        ArrayBufferWriter<byte> framed = new(payload.WrittenCount + ChunkFraming.MostBytes);
        ChunkFraming.Write(framed, payload.WrittenSpan);
        return new SharedPiece(framed.WrittenMemory, payload.WrittenCount, changes.Count);
    }

    public bool HasAsked(AskedHeartbeats asked) => asks.Has(asked);

    public byte[]? Asked(AskedHeartbeats asked, int position) => asks.TryTake(asked, out _) ? Heartbeat(position) : null;

    public async Task<byte[]?> NextAsync(int position, AskedHeartbeats asked, CancellationToken cancellationToken)
    {
        var stirred = Task.WhenAny(log.Grown, asks.Next);
        if (log.Count > position)
            return null;
        if (Asked(asked, position) is { } heartbeat)
            return heartbeat;
        try
        {
            await stirred.WaitAsync(stream.Interval, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return Heartbeat(position);
        }
        return log.Count > position ? null : Asked(asked, position);
    }

    private byte[] Heartbeat(int position) => Encoding.UTF8.GetBytes(stream.Heartbeat(position));
}
