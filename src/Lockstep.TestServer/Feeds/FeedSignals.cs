using System.Text;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Feeds;

/// <summary>What a scripted feed sends besides records, and when: heartbeats after silence or when asked for, and the control rows of the transaction dialect.</summary>
internal sealed class FeedSignals(ScriptedFeedOptions options, RecordLog log, TimeProvider time)
{
    private readonly byte[] _separator = Encoding.UTF8.GetBytes(options.Separator);
    private readonly Signal _asked = new();
    private volatile Ask _last = new(0, HeartbeatKind.Auto);

    private sealed record Ask(int Number, HeartbeatKind Kind);

    /// <summary>The number of the newest heartbeat that was asked for.</summary>
    public int LastAsked => _last.Number;

    /// <summary>Has a heartbeat sent to everyone who is connected to an endless feed.</summary>
    public void AskForHeartbeat(HeartbeatKind kind)
    {
        Ask last;
        do
            last = _last;
#pragma warning disable CS0420 // Interlocked is as good as volatile.
        while (Interlocked.CompareExchange(ref _last, new Ask(last.Number + 1, kind), last) != last);
#pragma warning restore CS0420
        _asked.Raise();
    }

    /// <summary>Waits for something to send: records at the position, or a heartbeat.</summary>
    /// <param name="position">The position of the record that comes next.</param>
    /// <param name="asked">The newest asked-for heartbeat that was sent; moves on.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>A heartbeat; null when there are records.</returns>
    public async Task<byte[]?> NextAsync(int position, AskedHeartbeat asked, CancellationToken cancellationToken)
    {
        Task heartbeat = _asked.Next;
        Task record = log.WaitAsync(position);
        if (record.IsCompleted)
            return null;
        Ask last = _last;
        if (last.Number == asked.Number)
        {
            try
            {
                await Task.WhenAny(record, heartbeat).WaitAsync(options.HeartbeatInterval ?? Timeout.InfiniteTimeSpan, time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return Heartbeat(HeartbeatKind.Auto);
            }
            last = _last;
            if (last.Number == asked.Number)
                return null;
        }
        asked.Number = last.Number;
        return Heartbeat(last.Kind);
    }

    /// <summary>A control row with the feed's horizon.</summary>
    public byte[] Control(string type) => ControlRow.Make(type, time.GetUtcNow(), log.Greatest, _separator);

    /// <param name="kind"><see cref="HeartbeatKind.Auto"/> for the feed's own.</param>
    private byte[] Heartbeat(HeartbeatKind kind) => (kind == HeartbeatKind.Auto ? options.Heartbeat : kind) switch
    {
        HeartbeatKind.BlankLine => "\n"u8.ToArray(),
        HeartbeatKind.ControlRow => Control(ControlRow.Heartbeat),
        HeartbeatKind.Auto when options.Dialect == FeedDialect.Transaction => Control(ControlRow.Heartbeat),
        _ => [.. """{"heartbeat":true}"""u8, .. _separator],
    };
}

/// <summary>How far one response has come with the heartbeats that were asked for.</summary>
internal sealed class AskedHeartbeat(int number)
{
    public int Number { get; set; } = number;
}
