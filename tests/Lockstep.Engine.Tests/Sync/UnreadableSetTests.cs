using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>A whole set in which something could not be read must not sweep (I6).</summary>
[Trait("Invariant", "I6")]
public sealed class UnreadableSetTests : SyncTest
{
    [Theory]
    [InlineData("""{"id":2,"updated_at":2,"v":to""")]
    [InlineData("""{"error":"backend unavailable"}""")]
    public async Task What_a_set_with_an_unreadable_part_lacks_stays_and_the_set_is_owed_until_it_comes_whole(string unreadable)
    {
        await using var server = RawServer.WithBodies(Record(1, 1) + Record(2, 2), unreadable + "\n" + Record(3, 3), Record(3, 3));
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Quarantining(server));
        Assert.Equal(["1", "2", "3"], Keys);
        Assert.True(run.Result.IsSetOwed);
        Assert.True(Info.IsSetOwed);
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("removed", StringComparison.Ordinal));

        var whole = await SyncRun.ToEndAsync(Quarantining(server));
        Assert.Equal(["3"], Keys);
        Assert.False(whole.Result.IsSetOwed);
        Assert.False(Info.IsSetOwed);
    }

    /// <summary>The other ways to a whole set: the server demands one, or leads to a snapshot.</summary>
    [Theory]
    [InlineData("410 Gone")]
    [InlineData("409 Conflict")]
    [InlineData("307")]
    public async Task However_a_set_came_about_it_removes_nothing_if_a_part_of_it_cannot_be_read(string why)
    {
        var (isNew, isTorn) = (true, false);
        await using var server = new RawServer(exchange =>
        {
            if (exchange.Cursor == "0" && why == "307")
                return exchange.RedirectAsync("/snapshot");
            if (exchange.Cursor is "0" or "snapshot")
            {
                var more =
                    isNew ? Record(1, 1)
                    : isTorn ? "garbage\n"
                    : "";
                return exchange.BodyAsync(more + Record(2, 2));
            }

            return why == "307" ? exchange.BodyAsync("") : exchange.StatusAsync(why);
        });
        await SyncRun.ToEndAsync(Options(server));
        (isNew, isTorn) = (false, true);

        var run = await SyncRun.ToEndAsync(Options(server, resync: why == "307", malformed: MalformedRecordPolicy.Quarantine));
        Assert.Equal(["1", "2"], Keys);
        Assert.True(run.Result.IsSetOwed);
        Assert.Equal(SyncOutcome.Owed, run.Result.Outcome);

        isTorn = false;
        await SyncRun.ToEndAsync(Quarantining(server));
        Assert.Equal(["2"], Keys);
        Assert.False(Info.IsSetOwed);
    }

    [Fact]
    public async Task Updates_go_on_while_a_set_is_owed()
    {
        await using var server = RawServer.WithBodies(Record(1, 1), Record(2, 2) + "garbage\n", Record(3, 3));
        await SyncRun.ToEndAsync(Options(server));
        await SyncRun.ToEndAsync(Quarantining(server));

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["1", "2", "3"], Keys);
        Assert.Equal(["0", "0", "2"], server.Cursors);
        Assert.True(run.Result.IsSetOwed);
    }

    [Fact]
    public async Task Of_another_feed_whose_set_cannot_be_read_nothing_is_applied()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 1
                ? exchange.BodyAsync(Record(1, 1), "Lockstep-Feed: one\r\n")
                : exchange.BodyAsync(Record(7, 1) + "garbage\n", "Lockstep-Feed: two\r\n")
        );
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Quarantining(server));

        Assert.Equal(["1"], Keys);
        Assert.Equal(("one", "1"), (Info.FeedIdentity, Info.Cursor.ToString()));
        Assert.True(run.Result.IsSetOwed);
    }

    [Theory]
    [InlineData("""{"id":2,"updated_at":"two"}""")]
    [InlineData("""{"id":2,"updated_at":2,"v":NaN}""")]
    [InlineData("""{"id":2,"v":"no order"}""")]
    public async Task A_malformed_record_whose_key_can_be_read_stays_and_the_rest_is_swept(string malformed)
    {
        await using var server = RawServer.WithBodies(Record(1, 1) + Record(2, 2) + Record(3, 3), malformed + "\n" + Record(3, 3));
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Quarantining(server));

        Assert.Equal(["2", "3"], Keys);
        Assert.Equal((1L, 1L, false), (run.Result.Swept, run.Result.Malformed, run.Result.IsSetOwed));
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("malformed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keys_of_several_fields_and_of_text_protect_their_records_too()
    {
        string Pair(string left, int right, string rest) => $$"""{"a":"{{left}}","b":{{right}},{{rest}}}""" + "\n";
        await using var server = RawServer.WithBodies(
            Pair("x", 1, "\"updated_at\":1") + Pair("x", 2, "\"updated_at\":2") + Pair("y", 1, "\"updated_at\":3"),
            Pair("\\u0078", 2, "\"v\":NaN") + Pair("y", 1, "\"updated_at\":3")
        );
        await SyncRun.ToEndAsync(WithKey(server, resync: false));

        await SyncRun.ToEndAsync(WithKey(server, resync: true));

        Assert.Equal(["x,2", "y,1"], Keys);
    }

    [Fact]
    public async Task After_a_refused_set_of_another_feed_nothing_that_follows_it_is_applied_either()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Row(1, 1) + Completed(2), "Lockstep-Feed: one\r\n");
                return;
            }

            await exchange.ChunkedAsync("Lockstep-Feed: two\r\n");
            await exchange.ChunkAsync(Row(7, 1) + "{\"id\":1}\n" + Completed(2) + Row(8, 3) + Completed(9));
            await exchange.LastChunkAsync();
        });
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Quarantining(server));

        Assert.Equal(["1"], Keys);
        Assert.Equal(("one", "2"), (Info.FeedIdentity, Info.Cursor.ToString()));
        Assert.True(run.Result.IsSetOwed);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Who_follows_fetches_an_owed_set_again_after_growing_waits_and_has_the_updates_meanwhile()
    {
        var asked = new List<(string Cursor, DateTimeOffset At)>();
        var seen = new List<string>();
        var time = new ManualTimeProvider();
        var whole = new TaskCompletionSource();
        await using var server = new RawServer(async exchange =>
        {
            lock (asked)
                asked.Add((exchange.Cursor, time.GetUtcNow()));
            var sets = asked.Count;
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(sets is 2 or 3 ? "garbage\n" + Row(2, 2) : Row(2, 2));
            await exchange.ChunkAsync(sets == 1 ? Row(1, 1) + Completed(3) : Row(8, 3) + Completed(3) + Row(9, 4 + sets));
            if (sets == 4)
                whole.TrySetResult();
            await exchange.StallAsync();
        });
        await SyncRun.ToEndAsync(Options(server, settle: 30));
        var sync = new TableSync(
            Options(server, follow: true, resync: true, malformed: MalformedRecordPolicy.Quarantine, idle: -0.001, connect: -0.001),
            time
        );

        var moving = Pace.MoveAsync(time, TimeSpan.FromSeconds(5), whole.Task);
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is not ChangesCommitted committed)
                continue;
            seen.AddRange(committed.Changes.Select(c => $"{(c.Kind == ChangeKind.Deleted ? "-" : "+")}{c.Key}"));
            if (seen.Contains("-1"))
                break;
        }

        await moving;
        Assert.All(asked, a => Assert.Equal("0", a.Cursor));
        Assert.True(asked[2].At - asked[1].At >= TimeSpan.FromMinutes(1), $"{asked[2].At - asked[1].At}");
        Assert.True(asked[3].At - asked[2].At >= TimeSpan.FromMinutes(2), $"{asked[3].At - asked[2].At}");
        Assert.Equal(["2", "8"], Keys.Except(["9"]));
        Assert.Contains("+9", seen);
        Assert.True(seen.IndexOf("+9") < seen.IndexOf("-1"), string.Join(' ', seen));
    }

    [Theory]
    [InlineData("upstream connect error or disconnect/reset before headers", "")]
    [InlineData("", "Content-Type: text/html; charset=utf-8\r\n")]
    [InlineData("[]", "")]
    public async Task An_answer_without_any_object_that_is_no_feed_is_an_error_and_no_empty_set(string body, string headers)
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.BodyAsync(Record(1, 1)) : exchange.BodyAsync(body, headers)
        );
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToErrorAsync<NotAFeedException>(Quarantining(server));

        Assert.Equal(["1"], Keys);
    }

    [Fact]
    public async Task A_page_of_html_is_an_error_and_no_empty_set()
    {
        await using var server = RawServer.WithBodies(Record(1, 1), "\n <html>503 from proxy</html>");
        await SyncRun.ToEndAsync(Options(server));

        var (error, _) = await SyncRun.ToErrorAsync<NotAFeedException>(Quarantining(server));

        Assert.Equal(ErrorKind.UnexpectedAnswer, error.Kind);
        Assert.Equal(["1"], Keys);
        Assert.False(Info.IsSetOwed);
    }

    private SyncOptions WithKey(RawServer server, bool resync) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = new FileTableStore(TablePath),
            KeyFields = ["a", "b"],
            Resync = resync,
            MalformedRecord = MalformedRecordPolicy.Quarantine,
        };

    private SyncOptions Quarantining(RawServer server) => Options(server, resync: true, malformed: MalformedRecordPolicy.Quarantine);
}
