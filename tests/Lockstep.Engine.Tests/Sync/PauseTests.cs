using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>A pause is not an end: what silence means, and bytes that change nothing.</summary>
public sealed class PauseTests : SyncTest
{
    private const string Heartbeat = "{\"heartbeat\":true}\n";

    [Theory(Timeout = Pace.Limit)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_chunked_feed_of_2000_records_that_pauses_2_s_in_the_middle_is_read_to_its_end_also_where_it_ignores_the_cursor(
        int times
    )
    {
        string first = Records(1, 1000),
            second = Records(1001, 2000);
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await SendAsync(exchange, pace, first, pause: 2);
            await exchange.ChunkAsync(second);
            await exchange.LastChunkAsync();
        });

        for (var i = 1; i <= times; i++)
        {
            (var sync, pace) = Paced(Options(server));
            var run = await SyncRun.ToEndAsync(sync);

            Assert.Equal((SyncEndReason.EndOfFeed, 2000L, true), (run.Result.EndReason, run.Result.Received, run.Result.IsComplete));
            Assert.True(Info.IsUpToDate);
            Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
        }

        Assert.Equal(2000, Info.Rows);
    }

    [Theory(Timeout = Pace.Limit)]
    [InlineData("\n")]
    [InlineData(Heartbeat)]
    public async Task Heartbeats_for_6_s_before_the_first_record_are_no_reason_to_end(string heartbeat)
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            for (var i = 1; i <= 12; i++)
            {
                await exchange.ChunkAsync(heartbeat);
                await pace.ReceivedAsync(i * heartbeat.Length);
                await pace.PassAsync(TimeSpan.FromSeconds(0.5));
            }

            await exchange.ChunkAsync(Record(1, 1));
            await exchange.LastChunkAsync();
        });

        (var sync, pace) = Paced(Options(server));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.EndOfFeed, 1L), (run.Result.EndReason, run.Result.Added));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Heartbeats_end_a_sync_after_its_first_record_and_at_once_where_the_feed_is_known_for_them()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            if (exchange.Number == 1)
                await exchange.ChunkAsync(Record(1, 1));
            await exchange.ChunkAsync(Heartbeat);
            await exchange.StallAsync();
        });

        foreach (var received in (long[])[1, 0])
        {
            var run = await SyncRun.ToEndAsync(Options(server));

            Assert.Equal((SyncEndReason.CaughtUp, received, true), (run.Result.EndReason, run.Result.Received, run.Result.IsComplete));
        }
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task The_reference_feed_settles_in_about_a_second()
    {
        string[] records = [Record(123, 999), Record(124, 1001), Record(125, 1002), Record(126, 1003), Record(127, 1004), Gone(124, 1000)];
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            var closed = exchange.ClientClosedAsync();
            for (var sent = 0; !closed.IsCompleted; )
            {
                foreach (var record in records)
                {
                    await exchange.ChunkAsync(record.TrimEnd());
                    sent += record.Length - 1;
                }

                await Task.WhenAny(closed, pace.ReceivedAsync(sent));
                if (!closed.IsCompleted)
                    await Task.WhenAny(closed, pace.PassAsync(TimeSpan.FromSeconds(0.05)));
            }
        });

        (var sync, pace) = Paced(Options(server, settle: 1));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.Settled, 5L, true), (run.Result.EndReason, run.Result.Added, run.Result.IsComplete));
        Assert.InRange(run.Result.Duration.TotalSeconds, 1, 1.5);
        Assert.Equal(["123", "124", "125", "126", "127"], Keys);
        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_feed_of_which_nothing_is_known_and_that_falls_silent_may_have_had_more()
    {
        Pace pace = null!;
        var sent = 0;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(1, 1));
            await pace.ReceivedAsync(sent = Record(1, 1).Length);
            await pace.PassUntilAsync(exchange.ClientClosedAsync());
        });

        (var sync, pace) = Paced(Options(server));
        var first = await SyncRun.ToEndAsync(sync);
        (sync, pace) = Paced(Options(server));
        var second = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.Settled, 1L, false), (first.Result.EndReason, first.Result.Added, first.Result.IsComplete));
        // Nobody who waits for an up-to-date table may be told of this one.
        Assert.NotNull(Info.LastSync);
        Assert.False(Info.IsUpToDate);
        Assert.Contains("may have more", Warning(first), StringComparison.Ordinal);
        Assert.DoesNotContain("no further", Warning(first), StringComparison.Ordinal);
        // A sync never gets past a server that ignores the cursor and pauses at the same place: that is reported.
        Assert.Contains("no further than the cursor 1", Warning(second), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_feed_without_an_end_that_sends_nothing_at_its_cursor_ends_a_sync_that_says_what_it_cannot_know(bool sendsHead)
    {
        await using var server = new RawServer(async exchange =>
        {
            if (sendsHead || exchange.Number == 1 || exchange.Number == 4)
                await exchange.ChunkedAsync();
            if (exchange.Number == 1)
                await exchange.ChunkAsync(Record(1, 1));
            if (exchange.Number == 4)
                await exchange.ChunkAsync(Record(2, 2));
            await exchange.StallAsync();
        });
        SyncOptions Quick(TimeSpan? followFor = null) => Options(server, settle: 0.1, idle: 1, connect: 1, followFor: followFor);
        var aWhile = TimeSpan.FromSeconds(0.5);

        await SyncRun.ToEndAsync(Quick(aWhile));
        var second = await SyncRun.ToEndAsync(Quick());
        var third = await SyncRun.ToEndAsync(Quick());
        await SyncRun.ToEndAsync(Quick(aWhile));

        foreach (var run in (SyncRun[])[second, third])
        {
            Assert.Equal(
                (SyncEndReason.Settled, false, SyncOutcome.Incomplete),
                (run.Result.EndReason, run.Result.IsComplete, run.Result.Outcome)
            );
        }

        Assert.Contains(second.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Equal(!sendsHead, third.Events.Any(e => e.Kind == FeedEventKind.Warning));
        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_is_no_quiet_feed()
    {
        SyncOptions options;
        await using (var server = RawServer.WithBodies(Record(1, 1)))
        {
            options = Options(server, connect: 1);
            await SyncRun.ToEndAsync(options);
        }

        await SyncRun.ToErrorAsync<FeedUnreachableException>(options);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_quiet_feed_that_has_nothing_above_the_cursor_and_stays_open_is_known_to_be_endless_from_then_on()
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(1, 1));
            await pace.ReceivedAsync(Record(1, 1).Length);
            await pace.PassUntilAsync(exchange.ClientClosedAsync());
        });
        for (var i = 0; i < 2; i++)
        {
            (var earlier, pace) = Paced(Options(server));
            await SyncRun.ToEndAsync(earlier);
        }

        (var sync, pace) = Paced(Options(server));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.Settled, true), (run.Result.EndReason, run.Result.IsComplete));
        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.InRange(run.Result.Duration, TimeSpan.FromSeconds(0.05), TimeSpan.FromSeconds(3));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_feed_that_repeats_itself_settles_and_is_known_from_then_on_to_be_quiet_when_it_is_silent()
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            var closed = exchange.ClientClosedAsync();
            if (exchange.Number == 2)
            {
                await pace.ConnectedAsync();
                await pace.PassUntilAsync(closed);
                return;
            }

            for (var sent = 0; !closed.IsCompleted; )
            {
                await exchange.ChunkAsync(Record(1, 1));
                sent += Record(1, 1).Length;
                await Task.WhenAny(closed, pace.ReceivedAsync(sent));
                if (!closed.IsCompleted)
                    await Task.WhenAny(closed, pace.PassAsync(TimeSpan.FromSeconds(0.1)));
            }
        });

        foreach (var received in (bool[])[true, false])
        {
            (var sync, pace) = Paced(Options(server));
            var run = await SyncRun.ToEndAsync(sync);

            Assert.Equal((SyncEndReason.Settled, true), (run.Result.EndReason, run.Result.IsComplete));
            Assert.Equal(received, run.Result.Received > 0);
            Assert.InRange(run.Result.Duration.TotalSeconds, 0.3, 1);
            Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
        }
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_feed_that_has_ended_before_is_waited_for()
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(1, 1));
            if (exchange.Number == 2)
                await SendAsync(exchange, pace, Record(2, 2), pause: 8, before: Record(1, 1).Length);
            await exchange.ChunkAsync(Record(3, 3));
            await exchange.LastChunkAsync();
        });
        await SyncRun.ToEndAsync(Options(server));

        (var sync, pace) = Paced(Options(server, since: "0"));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.EndOfFeed, 1L, true), (run.Result.EndReason, run.Result.Added, run.Result.IsComplete));
    }

    [Theory(Timeout = Pace.Limit)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_feed_that_says_that_its_silence_tells_settles_without_a_warning_from_the_first_time(bool hasRecord)
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Lockstep-Caught-Up: silence\r\n");
            if (hasRecord)
                await SendAsync(exchange, pace, Record(1, 1), pause: 0);
            else
                await pace.ConnectedAsync();
            await pace.PassUntilAsync(exchange.ClientClosedAsync());
        });

        (var sync, pace) = Paced(Options(server, settle: 1));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal(
            (SyncEndReason.Settled, hasRecord ? 1L : 0L, true),
            (run.Result.EndReason, run.Result.Received, run.Result.IsComplete)
        );
        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.InRange(run.Result.Duration.TotalSeconds, 1, 2);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task The_silence_and_the_blank_lines_of_a_feed_that_says_that_its_heartbeats_tell_are_a_pause()
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Lockstep-Caught-Up: heartbeat\r\n");
            var first = Record(exchange.Number, exchange.Number);
            await SendAsync(exchange, pace, first, pause: 6);
            await SendAsync(exchange, pace, "\n", pause: 2, before: first.Length);
            await SendAsync(exchange, pace, "\n", pause: 2, before: first.Length + 1);
            await exchange.ChunkAsync(Record(exchange.Number + 1, exchange.Number + 1) + Heartbeat);
            await exchange.StallAsync();
        });

        // The second time the table also knows that the feed is endless.
        for (var time = 1; time <= 2; time++)
        {
            (var sync, pace) = Paced(Options(server));
            var run = await SyncRun.ToEndAsync(sync);

            Assert.Equal((SyncEndReason.CaughtUp, true), (run.Result.EndReason, run.Result.IsComplete));
            Assert.Equal(time + 1, Info.Rows);
        }
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task The_heartbeat_of_a_feed_that_says_that_it_tells_is_the_end_also_before_any_record()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Lockstep-Caught-Up: heartbeat\r\n");
            await exchange.ChunkAsync(Heartbeat);
            await exchange.StallAsync();
        });

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal((SyncEndReason.CaughtUp, 0L, true), (run.Result.EndReason, run.Result.Received, run.Result.IsComplete));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task The_scripted_feed_of_the_test_server_settles_without_a_warning_from_the_first_time()
    {
        await using var server = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Scripted,
                Records = [Record(1, 1).TrimEnd()],
            },
            cancellationToken: Cancellation
        );
        for (var time = 1; time <= 2; time++)
        {
            var clock = new ManualTimeProvider();
            var sync = new TableSync(SyncRun.Options(server.FeedUri, TablePath), clock);
            var pace = new Pace(sync, clock);
            var running = SyncRun.ToEndAsync(sync);
            await pace.ReceivedAsync(Record(1, 1).Length);
            await pace.PassUntilAsync(running);
            var run = await running;

            Assert.Equal((SyncEndReason.Settled, 1L, true), (run.Result.EndReason, run.Result.Received, run.Result.IsComplete));
            Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
            Assert.InRange(run.Result.Duration.TotalSeconds, 0.2, 1);
        }
    }

    private static string Records(int first, int last) =>
        string.Concat(Enumerable.Range(first, last - first + 1).Select(id => Record(id, id)));

    private static string Warning(SyncRun run) => Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning).Message;

    private static async Task SendAsync(RawExchange exchange, Pace pace, string records, double pause, int before = 0)
    {
        await exchange.ChunkAsync(records);
        await pace.ReceivedAsync(before + records.Length);
        await pace.PassAsync(TimeSpan.FromSeconds(pause), step: TimeSpan.FromSeconds(0.05));
    }
}
