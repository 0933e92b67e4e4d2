using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A dialect knows how long its stream may be silent, whatever the limit for feeds is.</summary>
public sealed class IdleStreamTests : DialectTest
{
    [Theory(Timeout = Pace.Limit)]
    [InlineData("300", 330)]
    [InlineData("\"00:02:00\"", 150)]
    [InlineData(null, 90)]
    public async Task A_silent_stream_is_dropped_half_a_minute_after_the_dialects_time(string? timeout, int seconds)
    {
        var time = new ManualTimeProvider();
        var began = new List<DateTimeOffset>();
        var over = new TaskCompletionSource();
        await using var server = new RawServer(async exchange =>
        {
            began.Add(time.GetUtcNow());
            if (exchange.Number == 2)
                over.TrySetResult();
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync("{\"id\":1}\n");
            await Task.Delay(Timeout.Infinite, exchange.Stopping);
        });
        var dialect = $$"""
            { "Framing": "JsonLines", "Key": "id", "Whole": false{{(timeout is null ? "" : $", \"Timeout\": {timeout}")}} }
            """;
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions
                {
                    Uri = new Uri(server.Root, "lines"),
                    ConnectionTimeout = Timeout.InfiniteTimeSpan,
                    OperationTimeout = TimeSpan.FromSeconds(20),
                },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Parse(dialect, "test"),
                Follow = true,
            },
            time
        );

        var moving = Pace.MoveAsync(time, TimeSpan.FromSeconds(1), over.Task);
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (over.Task.IsCompleted)
                break;
        }

        await moving;
        Assert.True((began[1] - began[0]).TotalSeconds >= seconds, string.Join(' ', began));
    }
}
