using System.Globalization;
using System.IO.Compression;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Reliability;

/// <summary>Whatever a network or a bad server does on the way, the table ends with the feed's truth. A failure names its seed.</summary>
public sealed class FaultSoakTests : SyncTest
{
    private static readonly Truth Feed = new(3000, 700);

    [Theory]
    [InlineData("cut")]
    [InlineData("reset")]
    [InlineData("stall")]
    [InlineData("bytes")]
    [InlineData("status")]
    [InlineData("duplicate")]
    [InlineData("reorder")]
    [InlineData("chunk")]
    [InlineData("gzip")]
    [InlineData("redirect")]
    [InlineData("garbage head")]
    [InlineData("snapshot")]
    [InlineData("truncate")]
    public Task Each_fault_alone(string fault) => RunAsync(fault.Length, [fault]);

    [Fact]
    [Trait("Invariant", "I2")]
    [Trait("Invariant", "I4")]
    public async Task Random_combinations()
    {
        string[] all =
        [
            "cut",
            "reset",
            "bytes",
            "status",
            "duplicate",
            "reorder",
            "chunk",
            "gzip",
            "redirect",
            "garbage head",
            "snapshot",
            "truncate",
            "stall",
        ];
        var first = LongForm.Seed(1000);
        for (var seed = first; seed < first + LongForm.Of(12, 500); seed++)
            await RunAsync(seed, all);
    }

    private async Task RunAsync(int seed, string[] faults)
    {
        var random = new Random(seed);
        var faulty = 8;
        var story = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var server = new RawServer(async exchange =>
        {
            var fault = Interlocked.Decrement(ref faulty) > 0 ? faults[random.Next(faults.Length)] : "none";
            story.Enqueue($"{exchange.Cursor}: {fault}");
            await ServeAsync(exchange, fault, new Random(random.Next()));
        });
        var path = Folder($"soak{seed}-{faults.Length}.db");
        var reported = new Dictionary<string, string>();
        long last = 0;
        try
        {
            await SyncRun
                .ToEndAsync(
                    new SyncOptions
                    {
                        Feed = new FeedOptions
                        {
                            Uri = server.FeedUri,
                            OperationTimeout = TimeSpan.FromSeconds(0.5),
                            ConnectionTimeout = TimeSpan.FromSeconds(20),
                        },
                        Store = new FileTableStore(path),
                        MaximumRetryCount = 100,
                        RetryInterval = TimeSpan.FromMilliseconds(2),
                        Settle = TimeSpan.FromSeconds(60),
                        WantsChanges = true,
                    },
                    step =>
                    {
                        if (step is not ChangesCommitted committed)
                            return;
                        foreach (var change in committed.Changes)
                        {
                            Assert.True(change.Sequence > last, "changes out of sequence");
                            last = change.Sequence;
                            string key = change.Key.ToString(),
                                now = change.Kind + System.Text.Encoding.UTF8.GetString(change.Record.Span);
                            Assert.False(reported.GetValueOrDefault(key) == now, "a change was reported twice");
                            reported[key] = now;
                        }
                    }
                )
                .WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
            Feed.AssertPrefix(path, Feed.Count);
        }
        catch (Exception e)
        {
            Assert.Fail($"seed {seed} ({string.Join(", ", story)}): {e}");
        }
    }

    private static async Task ServeAsync(RawExchange exchange, string fault, Random random)
    {
        var isSnapshot = exchange.Cursor.StartsWith("snapshot", StringComparison.Ordinal);
        var cursor = isSnapshot ? 0 : int.Parse(exchange.Cursor.Split('?')[0], CultureInfo.InvariantCulture);
        var mayRedirect = !isSnapshot && !exchange.Cursor.Contains("update", StringComparison.Ordinal);
        var body = Feed.From(cursor);
        var some = random.Next(body.Length);
        switch (fault)
        {
            case "cut":
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n");
                await exchange.SendAsync(body[..some]);
                break;
            case "reset":
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n");
                await exchange.SendAsync(body[..some]);
                exchange.Reset();
                break;
            case "stall":
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n");
                await exchange.SendAsync(body[..some]);
                await exchange.StallAsync();
                break;
            case "bytes":
                await exchange.ChunkedAsync();
                foreach (var b in body.Take(2000))
                    await exchange.SendAsync([(byte)'1', 13, 10, b, 13, 10]);
                break;
            case "status":
                await exchange.StatusAsync(random.Next(2) == 0 ? "503 Busy" : "500 Oops", "Retry-After: 0\r\n");
                break;
            case "duplicate":
                await exchange.ChunkedAsync();
                for (var order = Math.Max(1, cursor); order <= Feed.Count; order++)
                {
                    if (order % 100 == 0 && random.Next(10) == 0)
                        return;
                    var text = System.Text.Encoding.UTF8.GetString(Feed[order]);
                    await exchange.ChunkAsync(random.Next(3) == 0 ? text + text : text);
                }

                break;
            case "reorder":
                int[] orders = [.. Enumerable.Range(Math.Max(1, cursor), Feed.Count - Math.Max(1, cursor) + 1)];
                random.Shuffle(orders);
                // The disorder shows before the cut: a client cannot know of what it has not seen.
                if (orders.Length > 1)
                    (orders[0], orders[1]) = (Math.Max(orders[0], orders[1]), Math.Min(orders[0], orders[1]));
                var shown = orders.Take(2).Sum(o => Feed[o].Length);
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n");
                await exchange.SendAsync(orders.SelectMany(o => Feed[o]).ToArray()[..Math.Max(shown, some)]);
                break;
            case "chunk":
                await exchange.ChunkedAsync();
                await exchange.SendAsync("7fffffff\r\n");
                await exchange.SendAsync(body[..some]);
                break;
            case "gzip":
                var packed = new MemoryStream();
                await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
                    await gzip.WriteAsync(body);
                await exchange.BodyAsync(packed.ToArray()[..random.Next(20, (int)packed.Length)], "Content-Encoding: gzip\r\n");
                break;
            case "redirect" when mayRedirect:
                await exchange.RedirectAsync(exchange.Head.Split(' ')[1], 302);
                break;
            case "garbage head":
                await exchange.SendAsync("SSH-2.0-OpenSSH\r\n\r\n");
                break;
            case "snapshot" when mayRedirect:
                await exchange.RedirectAsync("/snapshot");
                break;
            case "truncate":
                await exchange.SendAsync("HTTP/1.0 200 OK\r\n\r\n");
                // A close inside a record, so that even a body without a length shows that it is incomplete.
                await exchange.SendAsync(body[..Math.Max(1, Array.LastIndexOf(body, (byte)'}', some) - 1)]);
                break;
            default:
                await exchange.BodyAsync(body);
                break;
        }
    }
}
