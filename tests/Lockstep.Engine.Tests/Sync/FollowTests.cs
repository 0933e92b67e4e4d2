using System.Diagnostics;
using System.Net;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>Following a feed through whatever happens to the connection.</summary>
public sealed class FollowTests : SyncTest
{
    [Fact]
    public async Task It_reconnects_from_its_cursor_after_cuts_resets_errors_and_ends()
    {
        await using var server = new RawServer(async exchange =>
        {
            switch (exchange.Number)
            {
                case 1:
                    await exchange.ChunkedAsync();
                    await exchange.ChunkAsync(Record(1, 10));
                    break;
                case 2:
                    exchange.Reset();
                    break;
                case 3:
                    await exchange.StatusAsync("503 Busy", "Retry-After: 0\r\n");
                    break;
                case 4:
                    await exchange.BodyAsync(Record(2, 20));
                    break;
                case 5:
                    await exchange.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nnot a chunk\r\n");
                    break;
                default:
                    await exchange.ChunkedAsync();
                    await exchange.ChunkAsync(Record(3, 30));
                    await exchange.StallAsync();
                    break;
            }
        });

        var events = await FollowUntilAsync(Options(server, follow: true), "3");

        Assert.Equal(["0", "10", "10", "10", "20", "20"], server.Cursors);
        Assert.Equal(["1", "2", "3"], Keys);
        Assert.All(
            [FeedEventKind.Connect, FeedEventKind.Close, FeedEventKind.ServerError, FeedEventKind.Disconnect],
            kind => Assert.Contains(events, e => e.Kind == kind)
        );
    }

    [Fact]
    public async Task A_server_that_only_repeats_itself_and_breaks_off_is_given_up_after_the_maximum()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(1, 10));
        });

        await SyncRun.ToErrorAsync<FeedCutException>(Options(server, follow: true, retries: 3));

        // The first brought something new; three more in a row were allowed.
        Assert.Equal(4, server.Requests.Count);
    }

    [Fact]
    public async Task A_server_that_breaks_off_after_each_new_record_is_asked_again_after_the_shortest_wait_and_not_given_up()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(exchange.Number, exchange.Number));
            if (exchange.Number == 6)
                await exchange.StallAsync();
        });

        var events = await FollowUntilAsync(Options(server, follow: true, retries: 1, interval: 0.2), "6");

        Assert.Equal(Enumerable.Repeat("The next attempt is in 0.2 s.", 5), Waits(events));
    }

    [Fact]
    public async Task A_finite_body_that_is_cut_after_something_new_each_time_is_read_to_its_end()
    {
        await using var server = new RawServer(exchange =>
        {
            var record = Record(exchange.Number, exchange.Number);
            return exchange.Number == 6
                ? exchange.BodyAsync(record)
                : exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {record.Length + 9}\r\n\r\n{record}");
        });

        var run = await SyncRun.ToEndAsync(Options(server, retries: 1));

        Assert.Equal((SyncOutcome.Complete, 6L), (run.Result.Outcome, run.Result.Added));
        Assert.Equal(["0", "1", "2", "3", "4", "5"], server.Cursors);
    }

    [Fact]
    public async Task A_follower_that_gives_up_is_not_told_to_follow()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(1, 10));
        });

        (var error, _) = await SyncRun.ToErrorAsync<FeedCutException>(Options(server, follow: true, retries: 1));

        Assert.Equal(
            "Sync again: it resumes from what was committed. A larger MaximumRetryCount allows more failed attempts in a row.",
            error.RecommendedAction
        );
    }

    [Fact]
    public async Task Requests_keep_their_distance_even_where_each_answer_is_good()
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Record(1, exchange.Number)));
        var began = Stopwatch.GetTimestamp();

        await FollowUntilAsync(Options(server, follow: true), _ => server.Requests.Count >= 5);

        // From before the first one to after the fifth: a slow machine only makes it longer.
        Assert.True(Stopwatch.GetElapsedTime(began) >= TimeSpan.FromMilliseconds(390));
    }

    [Fact]
    public async Task A_poll_that_brings_nothing_new_says_that_the_table_is_up_to_date()
    {
        var second = DateTimeOffset.MaxValue;
        await using var server = new RawServer(exchange =>
        {
            if (exchange.Number == 2)
                second = DateTimeOffset.UtcNow;
            return exchange.BodyAsync(Record(1, 10));
        });

        await FollowUntilAsync(Options(server, follow: true), _ => server.Requests.Count >= 4);

        Assert.True(Info.LastSync >= second);
    }

    [Fact]
    public async Task A_server_that_answers_with_a_snapshot_again_and_again_is_backed_off_from_and_the_first_one_is_kept()
    {
        await using var server = new RawServer(exchange =>
            exchange.Head.StartsWith("GET /snapshot", StringComparison.Ordinal)
                ? exchange.BodyAsync(Record(1, 10))
                : exchange.RedirectAsync("/snapshot")
        );

        var events = await FollowUntilAsync(Options(server, follow: true), _ => server.Requests.Count >= 5);

        Assert.Single(server.Requests, r => r.StartsWith("GET /snapshot", StringComparison.Ordinal));
        Assert.Contains(events, e => e.Kind == FeedEventKind.OtherStatus && e.Message.Contains("snapshot", StringComparison.Ordinal));
        Assert.Contains(events, e => e.Kind == FeedEventKind.Retry);
        Assert.Equal(["1"], Keys);
    }

    [Fact]
    public async Task Nobody_at_the_address_is_an_error_of_its_own_after_the_attempts_allowed()
    {
        var gone = new RawServer(exchange => Task.CompletedTask);
        var uri = gone.FeedUri;
        await gone.DisposeAsync();

        (var error, var events) = await SyncRun.ToErrorAsync<FeedUnreachableException>(Options(gone, uri: uri, retries: 2));

        Assert.Equal("FeedUnreachable", error.ErrorId);
        Assert.Equal(3, events.Count(e => e.Kind == FeedEventKind.SocketError));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_silent_connection_is_dropped_and_white_space_within_a_record_is_no_life()
    {
        Pace pace = null!;
        var again = new TaskCompletionSource();
        var begun = Record(1, 10) + "{\"id\":2,";
        const int Spaces = 4;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            if (exchange.Number == 1)
            {
                await exchange.ChunkAsync(begun);
                await pace.ReceivedAsync(begun.Length);
                for (var i = 1; i <= Spaces; i++)
                {
                    await exchange.ChunkAsync(" ");
                    await pace.ReceivedAsync(begun.Length + i);
                    await pace.PassAsync(TimeSpan.FromSeconds(0.1));
                }

                await pace.PassUntilAsync(again.Task);
                return;
            }

            again.SetResult();
            await exchange.ChunkAsync(Record(2, 20));
            await pace.ReceivedAsync(begun.Length + Spaces + Record(2, 20).Length);
            await pace.PassAsync(Pace.Commit);
            await exchange.StallAsync();
        });

        (var sync, pace) = Paced(Options(server, follow: true, idle: 0.4));
        var events = await FollowUntilAsync(sync, "2");

        Assert.Contains(events, e => e.Kind == FeedEventKind.Close && e.Message.Contains("nothing was received", StringComparison.Ordinal));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Blank_lines_keep_a_connection_alive()
    {
        Pace pace = null!;
        const int Lines = 6;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            for (var i = 1; i <= Lines; i++)
            {
                await exchange.ChunkAsync("\n");
                await pace.ReceivedAsync(i);
                await pace.PassAsync(TimeSpan.FromSeconds(0.5));
            }

            await exchange.ChunkAsync(Record(1, 10));
            await pace.ReceivedAsync(Lines + Record(1, 10).Length);
            await pace.PassAsync(Pace.Commit);
            await exchange.StallAsync();
        });

        (var sync, pace) = Paced(Options(server, follow: true, idle: 2));
        await FollowUntilAsync(sync, "1");

        Assert.Single(server.Requests);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_slow_consumer_is_not_the_feeds_silence()
    {
        var time = new ManualTimeProvider();
        Pace pace = null!;
        TaskCompletionSource slow = new(),
            sent = new(),
            again = new();
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            var bytes = 0;
            for (var i = 1; i <= 12; i++)
            {
                await exchange.ChunkAsync(Record(i, i));
                bytes += Record(i, i).Length;
                // The consumer has the first batch, the second one waits for it, and the third one cannot be handed over: then nothing is
                // read.
                if (i > 3)
                    continue;
                await pace.ReceivedAsync(bytes, timers: i == 1 ? 2 : 1);
                time.Advance(Pace.Commit);
                if (i == 1)
                    await slow.Task;
            }

            sent.SetResult();
            await again.Task;
            await pace.ReceivedAsync(bytes);
            await pace.PassAsync(Pace.Commit);
            await exchange.StallAsync();
        });
        var seen = new List<FeedEvent>();
        var sync = new TableSync(Options(server, follow: true, idle: 2), time);
        pace = new Pace(sync, time);
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred happened)
                seen.Add(happened.Event);
            if (step is not ChangesCommitted committed)
                continue;
            if (slow.TrySetResult())
            {
                await sent.Task;
                // A blocked sync leaves no other trace than that it sets no timer for longer than it does between two of them.
                var looks = 0;
                await Eventually.TrueAsync(() => time.ScheduledTimers == 0 && ++looks == 20);
                time.Advance(TimeSpan.FromSeconds(3.5));
                again.SetResult();
            }

            if (committed.Changes.Any(c => c.Key.ToString() == "12"))
                break;
        }

        Assert.DoesNotContain(seen, e => e.Kind == FeedEventKind.Close);
    }

    [Fact]
    public async Task A_feed_that_ended_as_it_should_is_waited_for_and_one_that_failed_is_backed_off_from()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number <= 2 ? exchange.BodyAsync(Record(1, 1)) : exchange.StatusAsync("500 Oops")
        );
        foreach (var phase in (SyncPhase[])[SyncPhase.Waiting, SyncPhase.BackingOff])
        {
            var sync = new TableSync(Options(server, follow: true, interval: 30));
            await foreach (var step in sync.RunAsync(Cancellation))
            {
                if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Retry or FeedEventKind.Poll } retry })
                {
                    Assert.Equal(phase == SyncPhase.Waiting ? FeedEventKind.Poll : FeedEventKind.Retry, retry.Kind);
                    Assert.Equal(phase, sync.Result.State.Phase);
                    Assert.Equal(phase == SyncPhase.Waiting ? 0 : 1, sync.Result.State.Attempt);
                    Assert.StartsWith(phase == SyncPhase.Waiting ? "The feed is asked again in" : "The next attempt is in", retry.Message);
                    break;
                }
            }
        }
    }

    [Fact]
    public async Task Retry_after_is_waited_for_on_the_clock_that_was_given()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.StatusAsync("503 Busy", "Retry-After: 3600\r\n") : exchange.BodyAsync(Record(1, 1))
        );
        var time = new ManualTimeProvider();
        var sync = new TableSync(Options(server, retries: 1, connect: -0.001, idle: -0.001), time);

        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Retry } retry })
            {
                Assert.Contains("3600.0 s", retry.Message, StringComparison.Ordinal);
                Assert.Single(server.Requests);
            }

            // The consumer advances the clock; otherwise nothing would ever happen.
            if (sync.Result.State.Phase == SyncPhase.BackingOff)
                _ = Task.Run(() => time.Advance(TimeSpan.FromMinutes(30)), Cancellation);
        }

        Assert.Equal(2, server.Requests.Count);
    }

    [Theory]
    [InlineData("503 Loading", "Retry-After: 2\r\n", false)]
    [InlineData("503 Loading", "Retry-After: 20\r\n", false)]
    [InlineData("503 Loading", "", true)]
    [InlineData("429 Too Many", "Retry-After: 2\r\n", true)]
    public async Task A_server_that_is_loading_and_says_when_to_come_back_is_not_asked_less_and_less_often(
        string status,
        string headers,
        bool grows
    )
    {
        await using var server = new RawServer(exchange =>
            exchange.Number <= 5 ? exchange.StatusAsync(status, headers) : exchange.BodyAsync(Record(1, 1))
        );
        var time = new ManualTimeProvider();
        var sync = new TableSync(Options(server, retries: 9, connect: -0.001, idle: -0.001, interval: 5), time);
        var waits = new List<double>();

        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Retry } retry })
                waits.Add(double.Parse(retry.Message.Split(" in ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture));
            if (sync.Result.State.Phase == SyncPhase.BackingOff)
                _ = Task.Run(() => time.Advance(TimeSpan.FromMinutes(2)), Cancellation);
        }

        Assert.Equal(5, waits.Count);
        if (grows)
            Assert.InRange(waits[^1], 40, 60);
        else
            Assert.All(waits, wait => Assert.InRange(wait, 4, 20));
    }

    [Fact]
    public async Task A_retry_after_beyond_an_hour_is_cut_to_one_and_that_is_said()
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync("503 Busy", "Retry-After: 99999999999999999999\r\n"));

        var events = await FollowUntilAsync(
            Options(server, follow: true),
            step => step is FeedEventOccurred { Event.Kind: FeedEventKind.Retry }
        );

        var message = events[^1].Message;
        Assert.StartsWith("The next attempt is in 3600.0 s.", message, StringComparison.Ordinal);
        Assert.Contains("'99999999999999999999'", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_401_in_mid_follow_asks_for_credentials_and_goes_on_from_the_cursor()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.BodyAsync(Record(1, 10))
            : exchange.Head.Contains("Authorization: Bearer fresh", StringComparison.Ordinal) ? exchange.BodyAsync(Record(2, 20))
            : exchange.StatusAsync("401 Unauthorized")
        );
        var sync = new TableSync(Options(server, follow: true));
        var asked = 0;
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is CredentialsNeeded needed)
            {
                asked++;
                Assert.Equal(HttpStatusCode.Unauthorized, needed.Error!.Status);
                needed.NewToken = "fresh";
            }

            if (step is ChangesCommitted { Changes: [{ } change] } && change.Key.ToString() == "2")
                break;
        }

        Assert.Equal(1, asked);
        Assert.Equal(["0", "10", "10"], server.Cursors.Take(3));
    }

    [Fact]
    public async Task Without_an_answer_a_refusal_ends_the_sync()
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync("403 Forbidden"));

        (var error, var events) = await SyncRun.ToErrorAsync<FeedStatusException>(Options(server, follow: true));

        Assert.True(error.IsRefusal);
        Assert.Contains(events, e => e.Kind == FeedEventKind.ClientError);
    }

    [Fact]
    public async Task A_long_instance_name_is_shortened()
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Record(1, 1), $"Instance-Name: {new string('n', 5000)}\r\n"));

        var run = await SyncRun.ToEndAsync(Options(server));

        var told = Assert.Single(run.Events, e => e.Kind == FeedEventKind.InstanceName);
        Assert.Equal(new string('n', ForeignText.LongestShown) + "…", told.Message);
    }

    [Fact]
    public async Task Instance_name_and_count_are_told()
    {
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(Record(1, 1), "Instance-Name: node-7\r\nX-Amz-Meta-Count: 1\r\n")
        );

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Contains(run.Events, e => e is { Kind: FeedEventKind.InstanceName, Message: "node-7" });
        Assert.Contains(run.Events, e => e is { Kind: FeedEventKind.Count, Message: "1" });
        Assert.Equal(1, run.Result.Expected);
    }

    private static IEnumerable<string> Waits(IEnumerable<FeedEvent> events) =>
        events.Where(e => e.Kind == FeedEventKind.Retry).Select(e => e.Message);

    private static Task<List<FeedEvent>> FollowUntilAsync(SyncOptions options, string key) => FollowUntilAsync(new TableSync(options), key);

    private static Task<List<FeedEvent>> FollowUntilAsync(TableSync sync, string key) =>
        FollowUntilAsync(sync, step => step is ChangesCommitted committed && committed.Changes.Any(c => c.Key.ToString() == key));

    private static Task<List<FeedEvent>> FollowUntilAsync(SyncOptions options, Func<SyncStep, bool> isOver) =>
        FollowUntilAsync(new TableSync(options), isOver);

    private static async Task<List<FeedEvent>> FollowUntilAsync(TableSync sync, Func<SyncStep, bool> isOver)
    {
        var events = new List<FeedEvent>();
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred happened)
                events.Add(happened.Event);
            if (isOver(step))
                break;
        }

        return events;
    }
}
