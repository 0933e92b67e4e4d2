using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;

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

    private SyncOptions Quarantining(RawServer server) => Options(server, resync: true, malformed: MalformedRecordPolicy.Quarantine);
}
