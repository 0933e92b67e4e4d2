using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The cursor is inclusive, goes back only in an explicit resync, and never skips anything (I4).</summary>
[Trait("Invariant", "I4")]
public sealed class CursorTests : SyncTest
{
    [Fact]
    public async Task A_body_in_order_that_is_cut_is_resumed_from_its_last_record()
    {
        await using var server = new RawServer(exchange => Cut(exchange, Record(1, 5) + Record(2, 7)));

        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));

        Assert.Equal(["0", "7"], server.Cursors);
        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task A_body_out_of_order_that_is_cut_is_resumed_from_its_own_request()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number switch
            {
                1 => exchange.BodyAsync(Record(1, 10)),
                2 => Cut(exchange, Record(2, 50) + Record(3, 20)),
                _ => exchange.BodyAsync(Record(2, 50) + Record(3, 20) + Record(4, 30)),
            }
        );

        await SyncRun.ToEndAsync(Options(server));
        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
        Assert.Equal(("50", "10"), (Info.Cursor.ToString(), Info.Resume?.ToString()));
        var last = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "10", "10"], server.Cursors);
        Assert.Equal(["1", "2", "3", "4"], Keys);
        Assert.Single(last.Changes);
        Assert.Equal(("50", null), (Info.Cursor.ToString(), Info.Resume?.ToString()));
    }

    [Fact]
    public async Task A_record_out_of_order_behind_a_heartbeat_counts_again()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number switch
            {
                1 => exchange.BodyAsync(Record(1, 10)),
                2 => Cut(exchange, Record(2, 50) + "{\"heartbeat\":true}\n" + Record(3, 60) + Record(4, 40)),
                _ => exchange.BodyAsync(Record(5, 41)),
            }
        );
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToErrorAsync<FeedCutException>(Options(server, follow: true, retries: 0));
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal("10", server.Cursors.Last());
        Assert.Equal(["1", "2", "3", "4", "5"], Keys);
    }

    [Fact]
    public async Task The_cursor_never_goes_back_when_late_records_come()
    {
        await using var server = RawServer.WithBodies(Record(1, 100), Record(2, 40), Record(3, 30));

        for (var i = 0; i < 3; i++)
            await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "100", "100"], server.Cursors);
        Assert.Equal("100", Info.Cursor.ToString());
        Assert.Equal(["1", "2", "3"], Keys);
    }

    [Fact]
    public async Task A_look_back_window_is_read_again_and_what_is_known_is_not_reported()
    {
        await using var server = RawServer.WithBodies(Record(1, 100) + Record(2, 110), Record(3, 90) + Record(1, 100) + Record(2, 110));

        await SyncRun.ToEndAsync(Options(server, lookback: 30));
        var second = await SyncRun.ToEndAsync(Options(server, lookback: 30));

        Assert.Equal(["0", "80"], server.Cursors);
        Assert.Equal("3", Assert.Single(second.Changes).Key.ToString());
        Assert.Equal("110", Info.Cursor.ToString());
    }

    [Fact]
    public async Task String_cursors_go_on_from_the_last_one_received()
    {
        await using var server = RawServer.WithBodies(
            "{\"id\":1,\"updated_at\":\"9:1\"}{\"id\":2,\"updated_at\":\"5:5000\"}",
            "{\"id\":3,\"updated_at\":\"a/b c?\"}",
            ""
        );

        for (var i = 0; i < 3; i++)
            await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "5:5000", "a%2Fb%20c%3F"], server.Cursors);
    }

    [Fact]
    public async Task Big_and_fractional_cursors_are_sent_back_exactly()
    {
        await using var server = RawServer.WithBodies("{\"id\":1,\"updated_at\":123456789012345678901234567890.5}", "");

        await SyncRun.ToEndAsync(Options(server));
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal("123456789012345678901234567890.5", server.Cursors.Last());
    }

    [Fact]
    public async Task An_explicit_resync_may_take_the_cursor_back()
    {
        await using var server = RawServer.WithBodies(Record(1, 1000), Record(1, 1000) + Record(2, 5), "");
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToEndAsync(Options(server, resync: true));
        Assert.Equal("1000", Info.Cursor.ToString());
        await using var other = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.StatusAsync("410 Gone") : exchange.BodyAsync(Record(3, 20))
        );
        await SyncRun.ToEndAsync(Rebind(other, server));

        Assert.Equal(["1000", "0"], other.Cursors);
        Assert.Equal("20", Info.Cursor.ToString());
        Assert.Equal(["3"], Keys);
    }

    [Fact]
    public async Task A_snapshot_commits_no_cursor_until_it_is_complete()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number switch
            {
                1 or 3 => exchange.RedirectAsync("/snapshot"),
                2 => Cut(exchange, Record(1, 100) + Record(2, 200)),
                4 => exchange.BodyAsync(Record(1, 100) + Record(3, 50)),
                _ => exchange.BodyAsync(Record(4, 300)),
            }
        );

        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
        Assert.True(Info.Cursor.IsStart);
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "snapshot", "0", "snapshot", "100?update=true"], server.Cursors);
        Assert.Equal(["1", "3", "4"], Keys);
        Assert.Equal("300", Info.Cursor.ToString());
    }

    [Fact]
    public async Task A_cursor_of_the_callers_own_is_used_until_something_came()
    {
        await using var server = new RawServer(exchange =>
            exchange.Number < 3 ? Cut(exchange, Record(exchange.Number, exchange.Number * 10)) : exchange.BodyAsync(Record(9, 90))
        );

        await SyncRun.ToEndAsync(Options(server, since: "5", retries: 5));

        Assert.Equal(["5", "10", "20"], server.Cursors);
    }

    private static async Task Cut(RawExchange exchange, string text)
    {
        await exchange.ChunkedAsync();
        await exchange.ChunkAsync(text);
    }

    /// <summary>The same table, whose feed has moved to another address.</summary>
    private SyncOptions Rebind(RawServer to, RawServer from)
    {
        using (var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={TablePath};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = $"UPDATE lockstep_table SET feed = replace(feed, '{from.FeedUri}', '{to.FeedUri}')";
            command.ExecuteNonQuery();
        }

        return Options(to);
    }
}
