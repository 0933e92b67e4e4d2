using System.Text;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// The reference feed: whatever is requested, 200 and the same six objects over and over. It breaks the ordering rule on purpose: 124 is
/// deleted at 1000 but updated at 1001.
/// </summary>
internal sealed class ReferenceFeed(TimeProvider time) : IFeed
{
    /// <summary>Where the original's second port says that the feed is.</summary>
    public const string RedirectHost = "0.0.0.0";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(1);

    private static readonly byte[][] Objects =
    [
        Encoding.ASCII.GetBytes("""{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}"""),
        Encoding.ASCII.GetBytes("""{"id":124,"updated_at":1001,"deleted_at":null,"ip":"0.0.0.0","port":1235}"""),
        Encoding.ASCII.GetBytes("""{"id":125,"updated_at":1002,"deleted_at":null,"ip":"0.0.0.0","port":1236}"""),
        Encoding.ASCII.GetBytes("""{"id":126,"updated_at":1003,"deleted_at":null,"ip":"0.0.0.0","port":1237}"""),
        Encoding.ASCII.GetBytes("""{"id":127,"updated_at":1004,"deleted_at":null,"ip":"0.0.0.0","port":1238}"""),
        Encoding.ASCII.GetBytes("""{"id":124,"updated_at":1000,"deleted_at":1000,"ip":"0.0.0.0","port":1236}"""),
    ];

    private readonly Lock _gate = new();
    private TaskCompletionSource? _tick;
    private ITimer? _timer;

    public string Path => "/servers/";

    public async Task ServeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        context.Response.ContentType = "text/plain";
        var body = await ResponseBody.StartAsync(context, log, length: null, cancellationToken).ConfigureAwait(false);
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        while (true)
        {
            await NextTick().WaitAsync(cancellationToken).ConfigureAwait(false);
            foreach (var item in Objects)
                body.Write(item, records: 1);
            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>One timer for all clients; it runs while somebody waits for it.</summary>
    private Task NextTick()
    {
        lock (_gate)
        {
            if (_tick is not null)
                return _tick.Task;
            _tick = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _timer ??= time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(Interval, Timeout.InfiniteTimeSpan);
            return _tick.Task;
        }
    }

    private void Tick()
    {
        TaskCompletionSource? tick;
        lock (_gate)
            (tick, _tick) = (_tick, null);
        tick?.SetResult();
    }
}
