using System.Globalization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Another server's plain list is accepted, refused and owed like a whole set of Lockstep's own dialects (I6, D4).</summary>
[Trait("Invariant", "I6")]
public sealed class RefusedListTests : DialectTest
{
    [Fact]
    public async Task A_list_that_is_cut_after_a_malformed_item_and_comes_whole_the_next_time_leaves_nothing_malformed()
    {
        await using var server = Serve(
            (_, number) => number == 1 ? Json("[{\"id\":1},7,") with { IsCut = true } : Json("[{\"id\":1},{\"id\":2}]")
        );

        var run = await SyncRun.ToEndAsync(
            Dialect(
                server,
                "items",
                """{ "From": "Rest", "Whole": true }""",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    RetryInterval = o.RetryInterval,
                    MaximumRetryCount = 1,
                    MalformedRecord = MalformedRecordPolicy.Quarantine,
                }
            )
        );

        Assert.Equal((SyncOutcome.Complete, 0L, 0L), (run.Result.Outcome, run.Result.Malformed, run.Result.Quarantined));
    }

    [Fact]
    public async Task The_advice_after_a_cut_list_is_that_the_feed_is_read_from_its_beginning()
    {
        await using var server = Serve((_, _) => Json("[{\"id\":1},") with { IsCut = true });

        (var error, _) = await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, "items", "Rest"));

        Assert.StartsWith("Sync again: the feed is read from its beginning", error.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", 1)]
    [InlineData("""[{"id":1}]""", 30)]
    public async Task A_set_that_would_empty_or_halve_the_table_is_refused_unless_told(string body, int rows)
    {
        await using var server = Serve((_, number) => Json(number == 1 ? Items(rows) : body));

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        (var error, _) = await SyncRun.ToErrorAsync<SweepRefusedException>(Dialect(server, "items", "Rest"));
        Assert.Equal((rows, true), (Info.Rows, Info.IsSetOwed));
        Assert.Equal((ErrorKind.SweepRefused, "SweepRefused", (long)rows), (error.Kind, error.ErrorId, error.Rows));

        // It is not fetched again before it is due, and nothing claims that it was.
        (var again, _) = await SyncRun.ToErrorAsync<SweepRefusedException>(Dialect(server, "items", "Rest"));
        Assert.Equal((2, (long)rows), (server.Requests.Count, again.Rows));
        Assert.Matches(
            @"was not asked: the set that it sent at \d{4}-.*Z would have removed .* next attempt is due at \d{4}-.*Z",
            again.Message
        );
        Assert.StartsWith("To fetch it now: Force accepts it as it is", again.Remedy.ToString(), StringComparison.Ordinal);

        var told = await SyncRun.ToEndAsync(Of(server, force: true));
        Assert.Equal((body == "[]" ? 0 : 1, false), (Info.Rows, told.Result.IsSetOwed));
    }

    [Fact]
    public async Task A_refusal_is_of_the_query_that_was_asked_and_another_query_is_told_to_be_another_table()
    {
        await using var server = Serve(
            (path, number) =>
                Json(
                    number == 1 ? Items(30)
                    : path.Contains("open") ? Items(2)
                    : path.Contains("new") ? Items(40)
                    : "[]"
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        await SyncRun.ToErrorAsync<SweepRefusedException>(Dialect(server, "items", "Rest"));
        (var other, _) = await SyncRun.ToErrorAsync<SweepRefusedException>(Dialect(server, "items?state=open", "Rest"));
        Assert.Equal((3, 30L, 28L), (server.Requests.Count, other.Rows, other.Lost));
        Assert.Contains("another query is another table", other.Remedy.ToString(), StringComparison.Ordinal);

        var third = await SyncRun.ToEndAsync(Dialect(server, "items?state=new", "Rest"));
        Assert.Equal((40, false, true), (Info.Rows, third.Result.IsSetOwed, third.Result.IsComplete));
    }

    [Fact]
    public async Task A_list_that_is_fetched_whole_each_time_takes_another_query_at_once_and_a_refusal_is_of_that_one()
    {
        await using var server = Serve(
            (path, _) =>
                Json(
                    path.Contains("few=1") ? Items(3)
                    : path.Contains("few=2") ? "[]"
                    : Items(30)
                )
        );
        SyncOptions Few(string few) =>
            Dialect(
                server,
                "items",
                "Rest",
                options => new SyncOptions
                {
                    Feed = new FeedOptions { Uri = options.Feed.Uri, Query = [new("few", few)] },
                    Store = options.Store,
                    Foreign = options.Foreign,
                }
            );

        await SyncRun.ToEndAsync(Few("0"));
        await SyncRun.ToErrorAsync<SweepRefusedException>(Few("1"));
        var asked = server.Requests.Count;
        await SyncRun.ToErrorAsync<SweepRefusedException>(Few("1"));
        Assert.Equal(asked, server.Requests.Count);
        await SyncRun.ToEndAsync(Few("0"));

        Assert.Equal((30, asked + 1), (Info.Rows, server.Requests.Count));
    }

    [Fact]
    public async Task Resync_and_a_limit_of_the_table_let_a_set_through_too()
    {
        await using var server = Serve(
            (_, number) =>
                Json(
                    Items(
                        number switch
                        {
                            1 => 30,
                            2 => 10,
                            3 => 4,
                            _ => 0,
                        }
                    )
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        Assert.Equal(20, (await SyncRun.ToEndAsync(Of(server, limit: 70))).Result.Swept);
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        Assert.Equal((4, 70), (Info.Rows, Info.SweepLimit));
        Assert.Equal(4, (await SyncRun.ToEndAsync(Of(server, resync: true))).Result.Swept);
    }

    [Fact]
    public async Task A_set_that_could_not_be_read_in_full_sweeps_nothing_and_is_owed_until_one_can()
    {
        await using var server = Serve(
            (_, number) =>
                Json(
                    number switch
                    {
                        1 => Items(3),
                        2 => """[{"id":1},{"name":"no key"}]""",
                        _ => Items(1),
                    }
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var second = await SyncRun.ToEndAsync(Of(server, sets: MalformedRecordPolicy.Quarantine));
        Assert.Equal((3, true, 1), (Info.Rows, second.Result.IsSetOwed, Info.Quarantined));

        var third = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        Assert.Equal((1, false), (Info.Rows, third.Result.IsSetOwed));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Who_follows_asks_for_a_refused_set_again_after_growing_waits()
    {
        var time = new ManualTimeProvider();
        var asked = new List<DateTimeOffset>();
        var enough = new TaskCompletionSource();
        await using var server = Serve(
            (_, number) =>
            {
                asked.Add(time.GetUtcNow());
                if (number == 4)
                    enough.TrySetResult();
                return Json(number == 1 ? Items(30) : "[]");
            }
        );
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var sync = new TableSync(Of(server, follow: true), time);

        var moving = Pace.MoveAsync(time, TimeSpan.FromSeconds(1), enough.Task);
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (enough.Task.IsCompleted)
                break;
        }

        await moving;
        Assert.Equal(30, Info.Rows);
        Assert.True(asked[2] - asked[1] >= TimeSpan.FromSeconds(5), string.Join(' ', asked));
        Assert.True(asked[3] - asked[2] >= TimeSpan.FromSeconds(10), string.Join(' ', asked));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Polls_before_a_refused_set_is_due_do_not_make_the_next_sync_wait_longer_and_the_time_of_the_next_one_is_told()
    {
        var time = new ManualTimeProvider();
        var asked = new List<DateTimeOffset>();
        var enough = new TaskCompletionSource();
        var isWell = false;
        await using var server = Serve(
            (_, number) =>
            {
                asked.Add(time.GetUtcNow());
                if (number == 14)
                    enough.TrySetResult();
                return Json(number == 1 || isWell ? Items(30) : "[]");
            }
        );
        await SyncRun.ToEndAsync(new TableSync(Dialect(server, "items", "Rest"), time));
        var told = new List<string>();

        var sync = new TableSync(Of(server, follow: true, interval: TimeSpan.FromSeconds(1)), time);
        var moving = Pace.MoveAsync(time, TimeSpan.FromSeconds(1), enough.Task);
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Warning } warning })
                told.Add(warning.Message);
            if (told.Count == 13)
                break;
        }

        await moving;
        isWell = true;
        time.Advance(TimeSpan.FromMinutes(2));
        await SyncRun.ToEndAsync(new TableSync(Dialect(server, "items", "Rest"), time));
        Assert.False(Info.IsSetOwed);
        for (var poll = 2; poll < 14; poll++)
            Assert.True(TimeIn(told[poll - 2]) <= asked[poll], $"{told[poll - 2]} {asked[poll]:u}");
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task One_wrong_answer_costs_who_follows_a_few_seconds_and_is_told_until_a_set_is_taken()
    {
        var time = new ManualTimeProvider();
        var arrived = new TaskCompletionSource();
        await using var server = Serve(
            (_, number) =>
            {
                arrived.TrySetResult();
                return Json(number is 2 or 4 or 6 or 7 or 8 ? "[]" : Items(30 + number));
            }
        );
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var sync = new TableSync(Of(server, follow: true, interval: TimeSpan.FromSeconds(15)), time);

        var told = new List<string>();
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is not FeedEventOccurred { Event: { Kind: FeedEventKind.Retry or FeedEventKind.Poll, Message: var wait } })
                continue;
            told.Add($"{sync.Result.Outcome} {wait.Split(" in ")[1]}");
            if (server.Requests.Count == 9)
                break;
            arrived = new TaskCompletionSource();
            _ = Pace.MoveAsync(time, TimeSpan.FromSeconds(1), arrived.Task);
        }

        Assert.Equal(
            [
                "SweepRefused 5.0 s.",
                "None 15.0 s.",
                "SweepRefused 5.0 s.",
                "None 15.0 s.",
                "SweepRefused 5.0 s.",
                "SweepRefused 10.0 s.",
                "SweepRefused 15.0 s.",
                "None 15.0 s.",
            ],
            told
        );
    }

    [Fact]
    public async Task One_wrong_answer_costs_the_next_syncs_five_seconds_and_waits_grow_only_by_another()
    {
        var time = new ManualTimeProvider();
        await using var server = Serve((_, number) => Json(number is 2 or 3 or 5 ? "[]" : Items(30 + number)));
        async Task<int> RequestsAsync(bool isRefused, int later)
        {
            time.Advance(TimeSpan.FromSeconds(later));
            var sync = new TableSync(Dialect(server, "items", "Rest"), time);
            if (isRefused)
                await Assert.ThrowsAsync<SweepRefusedException>(() => SyncRun.ToEndAsync(sync));
            else
                await SyncRun.ToEndAsync(sync);
            return server.Requests.Count;
        }

        Assert.Equal(1, await RequestsAsync(isRefused: false, 0));
        Assert.Equal(2, await RequestsAsync(isRefused: true, 1));
        Assert.Equal(2, await RequestsAsync(isRefused: true, 4));
        Assert.Equal(3, await RequestsAsync(isRefused: true, 1));
        Assert.Equal(3, await RequestsAsync(isRefused: true, 9));
        Assert.Equal(4, await RequestsAsync(isRefused: false, 1));
        Assert.Equal(5, await RequestsAsync(isRefused: true, 1));
        Assert.Equal(6, await RequestsAsync(isRefused: false, 5));
        Assert.Equal((36, false), (Info.Rows, Info.IsSetOwed));
    }

    private static DateTimeOffset TimeIn(string message) =>
        DateTimeOffset.Parse(message.Split(" again at ")[1].TrimEnd('.'), CultureInfo.InvariantCulture);

    private static string Items(int count) => "[" + string.Join(',', Enumerable.Range(1, count).Select(id => $$"""{"id":{{id}}}""")) + "]";

    private SyncOptions Of(
        RawServer server,
        bool force = false,
        bool resync = false,
        bool follow = false,
        int? limit = null,
        TimeSpan? interval = null,
        MalformedRecordPolicy sets = MalformedRecordPolicy.Stop
    ) =>
        new()
        {
            Feed = new FeedOptions { Uri = new Uri(server.Root, "items") },
            Store = new FileTableStore(TablePath),
            Force = force,
            Resync = resync,
            Follow = follow,
            SweepLimit = limit,
            PollInterval = interval,
            MalformedRecord = sets,
        };
}
