using System.Text;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// What a scripted feed sends besides records, and when: heartbeats after silence or on request, and the control rows of the transaction
/// dialect.
/// </summary>
internal sealed class FeedSignals(ScriptedFeedOptions options, RecordLog log, TimeProvider time)
{
    private readonly byte[] _separator = Encoding.UTF8.GetBytes(options.Separator);

    /// <summary>The heartbeats that a test asks for.</summary>
    public HeartbeatAsks Asks { get; } = new();

    /// <summary>Waits for something to send: records at the position, or a heartbeat.</summary>
    /// <param name="position">The position of the record that comes next.</param>
    /// <param name="asked">How many of the requested heartbeats were sent; advances.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>A heartbeat; null if there are records.</returns>
    public async Task<byte[]?> NextAsync(int position, AskedHeartbeats asked, CancellationToken cancellationToken)
    {
        var heartbeat = Asks.Next;
        var record = log.WaitAsync(position);
        if (record.IsCompleted)
            return null;
        if (Asks.TryTake(asked, out var kind))
            return Heartbeat(kind);
        try
        {
            await Task.WhenAny(record, heartbeat)
                .WaitAsync(options.HeartbeatInterval ?? Timeout.InfiniteTimeSpan, time, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return Heartbeat(HeartbeatKind.Auto);
        }
        return Asks.TryTake(asked, out kind) ? Heartbeat(kind) : null;
    }

    /// <summary>The next heartbeat that was requested and not sent; null if there is none.</summary>
    /// <param name="asked">How many of them were sent; moves on.</param>
    public byte[]? Asked(AskedHeartbeats asked) => Asks.TryTake(asked, out var kind) ? Heartbeat(kind) : null;

    /// <summary>A control row with the feed's horizon.</summary>
    public byte[] Control(string type) => ControlLine.Make(type, time.GetUtcNow(), log.Greatest, _separator);

    /// <param name="kind"><see cref="HeartbeatKind.Auto"/> for the feed's own.</param>
    private byte[] Heartbeat(HeartbeatKind kind) =>
        (kind == HeartbeatKind.Auto ? options.Heartbeat : kind) switch
        {
            HeartbeatKind.BlankLine => "\n"u8.ToArray(),
            HeartbeatKind.ControlRow => Control(ControlLine.Heartbeat),
            HeartbeatKind.Auto when options.Dialect == ScriptedDialect.Transaction => Control(ControlLine.Heartbeat),
            _ => [.. """{"heartbeat":true}"""u8, .. _separator],
        };
}
