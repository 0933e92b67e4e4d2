using System.Globalization;
using System.Net;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>Live updates that come in pages, each of which ends and names the next one.</summary>
public sealed class SharedPagesTests : SyncTest
{
    private const string Head = "Lockstep-Feed: f\r\nLockstep-Follow: pages\r\nLockstep-Caught-Up: heartbeat\r\n";

    [Fact]
    public async Task A_follower_takes_page_after_page_and_is_up_to_date_at_each_heartbeat()
    {
        await using var server = new RawServer(exchange =>
            exchange.Cursor switch
            {
                "0" => exchange.BodyAsync(Row(1, 1) + Completed(1), "Lockstep-Feed: f\r\n"),
                "1" => exchange.BodyAsync(Beat(1), Head + Link(0)),
                "u?page=0" => exchange.BodyAsync(Row(2, 2) + Beat(2), Head + Link(1)),
                "u?page=1" => exchange.BodyAsync(Beat(2), Head + Link(2)),
                "u?page=2" => exchange.BodyAsync(Row(3, 3) + Beat(3), Head + Link(3)),
                _ => exchange.StallAsync(),
            }
        );
        var sync = new TableSync(Options(server, follow: true));
        var run = new List<SyncStep>();
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            run.Add(step);
            if (step is ChangesCommitted committed && committed.Changes.Any(change => change.Key.ToString() == "3"))
                break;
        }

        Assert.Equal(["1", "2", "3"], Keys);
        Assert.Equal("3", Info.Cursor.ToString());

        // One connection for all pages: nothing ended in between.
        Assert.Equal(1, run.Count(step => step is FeedEventOccurred { Event.Kind: FeedEventKind.Disconnect }));
        Assert.Equal(["0", "1", "u?page=0", "u?page=1", "u?page=2"], server.Cursors.Take(5));
        Assert.All(server.Requests.Take(2), head => Assert.Contains("Lockstep-Follow: pages", head, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_sync_that_does_not_follow_takes_what_it_lacks_and_no_page()
    {
        await using var server = new RawServer(exchange =>
            exchange.Cursor == "0"
                ? exchange.BodyAsync(Row(1, 1) + Completed(1), "Lockstep-Feed: f\r\n")
                : exchange.BodyAsync(Row(2, 2) + Beat(2), Head + Link(0))
        );
        await SyncRun.ToEndAsync(Options(server));
        var second = await SyncRun.ToEndAsync(Options(server));
        Assert.Equal((1L, SyncEndReason.CaughtUp), (second.Result.Added, second.Result.EndReason));
        Assert.DoesNotContain(server.Cursors, cursor => cursor.StartsWith("u?", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("404 Gone away")]
    [InlineData("409 Another")]
    [InlineData("410 Gone")]
    [InlineData("503 Busy")]
    [InlineData("504 Late")]
    [InlineData("cut")]
    [InlineData("another feed")]
    [InlineData("itself")]
    public async Task A_page_that_cannot_be_had_is_a_cut_and_the_feed_is_asked_from_the_cursor(string how)
    {
        var starts = 0;
        await using var server = new RawServer(exchange =>
            exchange.Cursor switch
            {
                "0" => exchange.BodyAsync(Row(1, 1) + Completed(1), "Lockstep-Feed: f\r\n"),
                "u?page=0" => exchange.BodyAsync(Row(2, 2) + Beat(2), Head + (how == "itself" ? Link(0) : Link(1))),
                "u?page=1" => how switch
                {
                    "cut" => exchange.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n" + Head + Link(2) + "\r\n" + Row(9, 2)[..40]),
                    "another feed" => exchange.BodyAsync(Row(9, 1), Head.Replace("Feed: f", "Feed: g", StringComparison.Ordinal) + Link(2)),
                    _ => exchange.StatusAsync(how),
                },
                _ => Interlocked.Increment(ref starts) switch
                {
                    1 => exchange.BodyAsync(Beat(1), Head + Link(0)),
                    _ => exchange.BodyAsync(Row(3, 3) + Beat(3), Head + Link(7)),
                },
            }
        );
        var events = new List<FeedEvent>();
        await foreach (var step in new TableSync(Options(server, follow: true)).RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred happened)
                events.Add(happened.Event);
            if (step is ChangesCommitted committed && committed.Changes.Any(change => change.Key.ToString() == "3"))
                break;
        }

        // Nothing was lost, nothing of the other feed was taken, and the whole set was not fetched again.
        Assert.Equal(["1", "2", "3"], Keys);
        Assert.Equal(1, server.Cursors.Count(cursor => cursor == "0"));
        Assert.Contains("2", server.Cursors);
        Assert.DoesNotContain(events, e => e.Kind == FeedEventKind.Resync);
    }

    [Theory]
    [InlineData("http://127.0.0.1:{0}/u?page=0")]
    [InlineData("http://localhost:{0}/u?page=0")]
    [InlineData("https://127.0.0.1:{0}/u?page=0")]
    public async Task Pages_of_another_server_are_not_requested(string address)
    {
        await using var other = RawServer.WithBodies("");
        var elsewhere = string.Format(CultureInfo.InvariantCulture, address, other.Root.Port);
        await using var server = new RawServer(exchange =>
            exchange.Cursor == "0"
                ? exchange.BodyAsync(Row(1, 1) + Completed(1), "Lockstep-Feed: f\r\n")
                : exchange.BodyAsync(Row(2, 2) + Beat(2), Head + $"Link: <{elsewhere}>; rel=\"next\"\r\n")
        );
        await foreach (var step in new TableSync(Options(server, follow: true)).RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred { Event.Message: var message } && message.Contains("another server", StringComparison.Ordinal))
                break;
        }

        Assert.Empty(other.Requests);
        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task However_fast_pages_come_they_are_requested_every_100_ms_unless_they_are_large()
    {
        var time = new ManualTimeProvider();
        var requests = 0;
        var size = 0;
        using var first = Answer();
        await using var body = new PagedBody(
            FeedUri.Parse(new Uri("http://h/feed")),
            new Uri("http://h/feed"),
            first,
            await first.Content.ReadAsStreamAsync(Cancellation),
            (_, _) =>
            {
                Interlocked.Increment(ref requests);
                return Task.FromResult(Answer());
            },
            (response, stop) => response.Content.ReadAsStreamAsync(stop),
            time
        );
        var buffer = new byte[1 << 20];

        // Pages without anything in them: one request for each 100 ms that pass.
        var read = body.ReadAsync(buffer, Cancellation).AsTask();
        for (var i = 0; i < 5; i++)
        {
            await time.WaitForTimersAsync(1, Cancellation);
            Assert.Equal(i, Volatile.Read(ref requests));
            time.Advance(TimeSpan.FromMilliseconds(99));
            Assert.Equal(i, Volatile.Read(ref requests));
            time.Advance(TimeSpan.FromMilliseconds(1));
        }

        await time.WaitForTimersAsync(1, Cancellation);
        size = 100_000;
        time.Advance(TimeSpan.FromMilliseconds(100));
        for (var received = await read; received < 300_000; )
            received += await body.ReadAsync(buffer, Cancellation);
        Assert.InRange(requests, 8, 9);

        HttpResponseMessage Answer()
        {
            var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(new byte[size]) };
            response.Headers.TryAddWithoutValidation("Link", $"</u?page={requests + 1}>; rel=\"next\"");
            return response;
        }
    }

    [Fact]
    public async Task A_body_that_is_closed_no_longer_waits_for_its_next_page()
    {
        var asked = new TaskCompletionSource<CancellationToken>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var first = new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent([]) };
        first.Headers.TryAddWithoutValidation("Link", "</u>; rel=\"next\"");
        var body = new PagedBody(
            FeedUri.Parse(new Uri("http://h/feed")),
            new Uri("http://h/feed"),
            first,
            await first.Content.ReadAsStreamAsync(Cancellation),
            async (_, stop) =>
            {
                asked.SetResult(stop);
                await Task.Delay(Timeout.Infinite, stop);
                throw new InvalidOperationException();
            },
            (response, stop) => response.Content.ReadAsStreamAsync(stop),
            TimeProvider.System
        );
        var read = body.ReadAsync(new byte[1], Cancellation).AsTask();
        await asked.Task;
        await body.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
    }

    private static string Link(int page) => $"Link: </u?page={page}>; rel=\"next\"\r\n";
}
