using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>When a set is complete, and what that does (I6).</summary>
[Trait("Invariant", "I6")]
public sealed class WholeSetTests : SyncTest
{
    [Fact(Timeout = Pace.Limit)]
    public async Task A_resync_over_a_body_of_known_length_sweeps_however_long_it_takes()
    {
        var body = Record(1, 10) + Record(2, 20);
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Record(1, 1) + Record(2, 2) + Record(3, 3));
                return;
            }

            await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n");
            foreach (var c in body[..40])
                await exchange.SendAsync([(byte)c]);
            await pace.ReceivedAsync(40);
            await pace.PassAsync(TimeSpan.FromSeconds(0.7));
            await exchange.SendAsync(body[40..]);
        });
        await SyncRun.ToEndAsync(Options(server));

        (var sync, pace) = Paced(Options(server, resync: true, settle: 0.1));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal(["1", "2"], Keys);
        Assert.Equal((SyncEndReason.EndOfFeed, 1L), (run.Result.EndReason, run.Result.Swept));
    }

    [Theory]
    [InlineData("heartbeat")]
    [InlineData("settles")]
    public async Task A_set_without_an_end_that_lacks_records_is_owed_until_one_accounts_for_them(string caughtUpBy)
    {
        await using var server = SetWithoutEnd(caughtUpBy);
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Options(server, resync: true));

        Assert.Equal(["1", "2", "3"], Keys);
        Assert.Equal(SyncOutcome.Owed, run.Result.Outcome);
        var warning = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Contains("lacks 1 of 3 records, which stay, among them 3.", warning.Message, StringComparison.Ordinal);
        Assert.Contains("Force", warning.Remedy?.ToString(), StringComparison.Ordinal);
        Assert.True(Info.IsSetOwed);

        var later = await SyncRun.ToEndAsync(Options(server));
        Assert.Equal((SyncOutcome.Owed, "2"), (later.Result.Outcome, server.Cursors.Last()));

        var forced = await SyncRun.ToEndAsync(Options(server, resync: true, force: true));
        Assert.Equal((SyncOutcome.Complete, 1L, false), (forced.Result.Outcome, forced.Result.Swept, Info.IsSetOwed));
    }

    [Fact]
    public async Task What_a_set_without_an_end_owed_is_paid_by_one_that_lacks_nothing()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Record(1, 1) + Record(2, 2));
                return;
            }

            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(1, 1) + (exchange.Number == 2 ? "" : Record(2, 2)) + "{\"heartbeat\":true}\n");
            await exchange.StallAsync();
        });
        await SyncRun.ToEndAsync(Options(server));

        var lacking = await SyncRun.ToEndAsync(Options(server, resync: true));
        var whole = await SyncRun.ToEndAsync(Options(server, resync: true));

        Assert.Equal((SyncOutcome.Owed, SyncOutcome.Complete), (lacking.Result.Outcome, whole.Result.Outcome));
        Assert.False(Info.IsSetOwed);
    }

    [Theory]
    [InlineData("heartbeat", false)]
    [InlineData("heartbeat", true)]
    [InlineData("settles", false)]
    [InlineData("settles", true)]
    public async Task By_force_or_to_repair_being_caught_up_is_the_end_of_a_set_without_one(string caughtUpBy, bool repair)
    {
        await using var server = SetWithoutEnd(caughtUpBy);
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Options(server, resync: !repair, force: !repair, repair: repair));

        Assert.Equal(["1", "2"], Keys);
        Assert.Equal((SyncOutcome.Complete, 1L), (run.Result.Outcome, run.Result.Swept));
        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    /// <summary>First three records and the end; then two of them in a body without one, which shows that this was all.</summary>
    private static RawServer SetWithoutEnd(string caughtUpBy) =>
        new(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Record(1, 1) + Record(2, 2) + Record(3, 3));
                return;
            }

            await exchange.ChunkedAsync(caughtUpBy == "settles" ? "Lockstep-Caught-Up: silence\r\n" : "");
            await exchange.ChunkAsync(Record(1, 1) + Record(2, 2) + (caughtUpBy == "heartbeat" ? "{\"heartbeat\":true}\n" : ""));
            await exchange.StallAsync();
        });

    [Fact]
    public async Task A_heartbeat_in_a_redirected_snapshot_does_not_complete_it()
    {
        await using var server = new RawServer(async exchange =>
        {
            switch (exchange.Number)
            {
                case 1:
                    await exchange.BodyAsync(Record(1, 1) + Record(2, 2));
                    break;
                case 2:
                    await exchange.RedirectAsync("/snapshot");
                    break;
                case 3:
                    await exchange.ChunkedAsync();
                    await exchange.ChunkAsync(Record(3, 3) + "{\"heartbeat\":true}\n");
                    await exchange.ChunkAsync(Record(4, 4));
                    await exchange.LastChunkAsync();
                    break;
                default:
                    await exchange.BodyAsync("");
                    break;
            }
        });
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["3", "4"], Keys);
        Assert.Equal("4?update=true", server.Cursors.Last());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_deleted_while_a_whole_set_was_cut_off_is_swept_when_it_comes_again(bool transaction)
    {
        Func<int, long, string> make = transaction ? (id, order) => Row(id, order) : (id, order) => Record(id, order);
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            // Out of order, so that the record dialect must also start over.
            await exchange.ChunkAsync(exchange.Number == 1 ? make(1, 30) + make(2, 20) : make(1, 30) + make(3, 10));
            if (exchange.Number == 1)
                return;
            if (transaction)
                await exchange.ChunkAsync(Completed(40));
            await exchange.LastChunkAsync();
        });

        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
        Assert.Equal(["1", "2"], Keys);
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "0"], server.Cursors);
        Assert.Equal(["1", "3"], Keys);
        Assert.Equal(transaction ? "40" : "30", Info.Cursor.ToString());
    }

    [Fact]
    public async Task A_heartbeat_row_before_the_first_row_of_a_transaction_feed_is_not_its_end()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Beat(900));
            await exchange.ChunkAsync(Row(1, 5) + Beat(901) + Row(2, 6) + Completed(7));
            await exchange.StallAsync();
        });

        var run = await SyncRun.ToEndAsync(Options(server, settle: 5));

        Assert.Equal(["1", "2"], Keys);
        Assert.Equal((SyncEndReason.CaughtUp, "7"), (run.Result.EndReason, Info.Cursor.ToString()));
    }

    [Fact]
    public async Task Heartbeats_after_the_set_advance_the_cursor_to_their_horizon()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(exchange.Number == 1 ? Row(1, 5) + Completed(7) : Row(1, 5) + Beat(20));
            await exchange.StallAsync();
        });

        await SyncRun.ToEndAsync(Options(server, settle: 5));
        var run = await SyncRun.ToEndAsync(Options(server, settle: 5));

        Assert.Equal(["0", "7"], server.Cursors);
        Assert.Equal("20", Info.Cursor.ToString());
        Assert.Empty(run.Changes);
    }

    [Fact]
    public async Task A_closed_socket_never_completes_a_set()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Record(1, 1) + Record(2, 2));
                return;
            }

            // Neither length nor chunks: the end is whatever the socket says.
            await exchange.SendAsync("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + Record(1, 5));
        });
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Options(server, resync: true));

        Assert.Equal(["1", "2"], Keys);
        Assert.Equal(1, run.Result.Updated);
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Fact]
    public async Task An_endless_feed_of_the_first_dialect_is_merged_and_says_so()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Record(1, 1) + Record(2, 2));
                return;
            }

            await exchange.ChunkedAsync();
            while (true)
            {
                await exchange.ChunkAsync(Record(1, 5) + Record(3, 3));
                await Task.Delay(5, exchange.Stopping);
            }
        });
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Options(server, resync: true));

        Assert.Equal(["1", "2", "3"], Keys);
        Assert.Equal(SyncEndReason.Settled, run.Result.EndReason);
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("merged", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_feed_of_another_identity_replaces_the_table_and_its_order_values()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number switch
            {
                1 => exchange.BodyAsync(Record(1, 1000) + Record(2, 2000) + Gone(3, 3000), "Lockstep-Feed: one\r\n"),
                2 => exchange.BodyAsync("", "Lockstep-Feed: two\r\n"),
                3 => exchange.BodyAsync(Record(2, 1) + Record(3, 2), "Lockstep-Feed: two\r\n"),
                _ => exchange.BodyAsync(Record(2, 4), "Lockstep-Feed: two\r\n"),
            }
        );

        await SyncRun.ToEndAsync(Options(server));
        var run = await SyncRun.ToEndAsync(Options(server));
        Assert.Equal(["2", "3"], Keys);
        Assert.Equal(("2", "two"), (Info.Cursor.ToString(), Info.FeedIdentity));
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "3000", "0", "2"], server.Cursors);
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Resync);
        Assert.Contains("Lockstep-Feed: one", server.Requests.ElementAt(1), StringComparison.Ordinal);
        Assert.DoesNotContain("Lockstep-Feed", server.Requests.ElementAt(2), StringComparison.Ordinal);
        Assert.Equal(Record(2, 4).Trim(), SyncRun.Read(TablePath)["2"]);
    }

    [Theory]
    [InlineData("409 Conflict")]
    [InlineData("410 Gone")]
    public async Task A_server_that_cannot_go_on_from_the_cursor_gets_a_resync(string status)
    {
        await using var server = new RawServer(exchange =>
            exchange.Number switch
            {
                1 => exchange.BodyAsync(Record(1, 10) + Record(2, 20)),
                2 => exchange.StatusAsync(status),
                _ => exchange.BodyAsync(Record(2, 20)),
            }
        );

        await SyncRun.ToEndAsync(Options(server));
        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "20", "0"], server.Cursors);
        Assert.Equal(["2"], Keys);
        Assert.Equal(1, run.Result.Swept);
    }

    [Fact]
    public async Task Endless_resyncs_are_stopped_and_the_table_keeps_what_it_had()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.BodyAsync(Record(1, 10)) : exchange.StatusAsync("410 Gone")
        );
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToErrorAsync<ResyncLoopException>(Options(server));

        Assert.Equal(["1"], Keys);
    }

    [Theory(Timeout = Pace.Limit)]
    [InlineData("410")]
    [InlineData("identity")]
    [InlineData("410 and redirect")]
    public async Task A_feed_that_leads_back_to_the_whole_set_each_time_is_asked_ever_less_often(string why)
    {
        var time = new ManualTimeProvider();
        var sets = new List<DateTimeOffset>();
        var enough = new TaskCompletionSource();
        await using var server = new RawServer(async exchange =>
        {
            var isSet = exchange.Cursor is "0" or "snapshot";
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Record(1, 10));
                return;
            }

            if (!isSet && why.StartsWith("410", StringComparison.Ordinal))
            {
                await exchange.StatusAsync("410 Gone");
                return;
            }

            if (exchange.Cursor == "0" && why.EndsWith("redirect", StringComparison.Ordinal))
            {
                await exchange.RedirectAsync("/snapshot");
                return;
            }

            if (isSet)
                sets.Add(time.GetUtcNow());
            if (sets.Count == 6)
                enough.TrySetResult();
            await exchange.BodyAsync(Record(1, 10 + sets.Count), why == "identity" ? $"Lockstep-Feed: {exchange.Number}\r\n" : "");
        });
        await SyncRun.ToEndAsync(Options(server));
        var sync = new TableSync(Options(server, follow: true, interval: 1, idle: -0.001, connect: -0.001), time);

        var moving = Pace.MoveAsync(time, TimeSpan.FromSeconds(0.25), enough.Task);
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (enough.Task.IsCompleted)
                break;
        }

        await moving;
        for (var i = 2; i < 6; i++)
            Assert.True(sets[i] - sets[i - 1] >= TimeSpan.FromSeconds(0.8 * Math.Pow(2, i - 1)), string.Join(' ', sets));
    }

    [Fact]
    public async Task An_empty_snapshot_empties_the_table()
    {
        await using var server = RawServer.WithBodies(Record(1, 10), "");
        await SyncRun.ToEndAsync(Options(server));

        var run = await SyncRun.ToEndAsync(Options(server, resync: true));

        Assert.Empty(Keys);
        Assert.Equal((1L, 1L), (run.Result.Swept, Info.Tombstones));
    }

    [Fact]
    public async Task A_snapshot_that_is_cut_off_changes_nothing()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Record(1, 10));
                return;
            }

            await exchange.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + Record(2, 20));
        });
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToErrorAsync<FeedCutException>(Options(server, resync: true));

        Assert.Equal(["1"], Keys);
        Assert.Equal("10", Info.Cursor.ToString());
    }

    [Fact]
    public async Task The_redirecting_port_of_the_reference_feed_settles_each_time()
    {
        await using var server = await TestServer.LockstepTestServer.StartAsync(
            new TestServer.TestServerOptions { Port = 0, Feed = TestServer.Feeds.FeedKind.Reference },
            cancellationToken: Cancellation
        );
        var options = SyncRun.Options(new Uri(server.RedirectUri!, "/servers/"), TablePath);

        for (var i = 0; i < 2; i++)
        {
            var run = await SyncRun.ToEndAsync(options);
            Assert.Equal(SyncEndReason.Settled, run.Result.EndReason);
            Assert.Equal(["123", "124", "125", "126", "127"], Keys);
        }
    }
}
