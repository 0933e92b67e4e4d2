using System.Text;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// What a scripted feed sends besides records, and when: heartbeats after silence or when asked for, and the control rows of the
/// transaction dialect.
/// </summary>
internal sealed class FeedSignals(ScriptedFeedOptions options, RecordLog log, TimeProvider time)
{
    private readonly byte[] _separator = Encoding.UTF8.GetBytes(options.Separator);
    private readonly Lock _gate = new();
    private readonly List<Ask> _asks = [];
    private readonly Pulse _asked = new();

    /// <param name="Kind">What it is to look like.</param>
    /// <param name="Requests">How many requests had come by then: it goes to those of them that are still connected, however far they
    /// are.</param>
    private readonly record struct Ask(HeartbeatKind Kind, long Requests);

    /// <summary>Has a heartbeat sent to everyone who is connected to an endless feed.</summary>
    /// <param name="kind">What it looks like.</param>
    /// <param name="requests">How many requests there were up to now.</param>
    public void AskForHeartbeat(HeartbeatKind kind, long requests)
    {
        lock (_gate)
            _asks.Add(new Ask(kind, requests));
        _asked.Raise();
    }

    /// <summary>How many heartbeats had been asked for when a request came.</summary>
    /// <param name="request">Its number.</param>
    public int AskedBefore(long request)
    {
        lock (_gate)
        {
            var before = _asks.Count;
            while (before > 0 && _asks[before - 1].Requests >= request)
                before--;
            return before;
        }
    }

    /// <summary>Waits for something to send: records at the position, or a heartbeat.</summary>
    /// <param name="position">The position of the record that comes next.</param>
    /// <param name="asked">How many of the asked-for heartbeats were sent; moves on.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>A heartbeat; null when there are records.</returns>
    public async Task<byte[]?> NextAsync(int position, AskedHeartbeats asked, CancellationToken cancellationToken)
    {
        var heartbeat = _asked.Next;
        var record = log.WaitAsync(position);
        if (record.IsCompleted)
            return null;
        if (TryTake(asked, out var kind))
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
        return TryTake(asked, out kind) ? Heartbeat(kind) : null;
    }

    private bool TryTake(AskedHeartbeats asked, out HeartbeatKind kind)
    {
        lock (_gate)
        {
            var pending = asked.Count < _asks.Count;
            kind = pending ? _asks[asked.Count++].Kind : default;
            return pending;
        }
    }

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

/// <summary>How many of the heartbeats that were asked for are behind one response.</summary>
internal sealed class AskedHeartbeats(int count)
{
    public int Count { get; set; } = count;
}
