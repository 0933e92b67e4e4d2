using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>A table whose feed is at another address.</summary>
public sealed class RebindTests : SyncTest
{
    [Fact]
    public async Task A_feed_that_moved_to_another_port_and_names_the_same_identity_goes_on_from_the_cursor()
    {
        await using var before = Serving("one", Record(1, 10));
        await using var after = Serving("one", Record(1, 10) + Record(2, 20));
        await SyncRun.ToEndAsync(Options(before));

        var run = await SyncRun.ToEndAsync(Options(after));
        var again = await SyncRun.ToEndAsync(Options(after));

        Assert.Equal("10", after.Cursors.First());
        Assert.Equal(["1", "2"], Keys);
        Assert.Contains("has moved", Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning).Message, StringComparison.Ordinal);
        Assert.Equal(after.FeedUri.AbsoluteUri, Info.Feed);
        Assert.DoesNotContain(again.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Theory]
    [InlineData("two")]
    [InlineData(null)]
    public async Task Another_identity_at_another_port_is_a_mismatch_that_names_the_way_out(string? identity)
    {
        await using var before = Serving("one", Record(1, 10));
        await using var after = Serving(identity, Record(9, 90));
        await SyncRun.ToEndAsync(Options(before));

        (var error, _) = await SyncRun.ToErrorAsync<TableMismatchException>(Options(after));

        Assert.Contains("Rebind", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal(["1"], Keys);
        Assert.Equal(before.FeedUri.AbsoluteUri, Info.Feed);
    }

    [Fact]
    public async Task A_feed_elsewhere_that_refuses_the_identity_is_a_mismatch_and_no_new_set()
    {
        await using var before = Serving("one", Record(1, 10));
        await using var after = new RawServer(exchange =>
            exchange.Head.Contains("Lockstep-Feed: one", StringComparison.OrdinalIgnoreCase)
                ? exchange.StatusAsync("409 Conflict")
                : exchange.BodyAsync(Record(9, 90), "Lockstep-Feed: two\r\n")
        );
        await SyncRun.ToEndAsync(Options(before));

        await SyncRun.ToErrorAsync<TableMismatchException>(Options(after));
        Assert.Equal(["1"], Keys);
        await SyncRun.ToEndAsync(Options(after, rebind: true));

        // It was requested, and it is another feed: its whole set replaces the old one.
        Assert.Equal(["9"], Keys);
    }

    [Fact]
    public async Task Where_no_identity_is_known_a_table_is_bound_again_on_request()
    {
        await using var before = Serving(null, Record(1, 10));
        await using var after = Serving(null, Record(1, 10) + Record(2, 20));
        await SyncRun.ToEndAsync(Options(before));

        await SyncRun.ToErrorAsync<TableMismatchException>(Options(after));
        Assert.Empty(after.Requests);
        await SyncRun.ToEndAsync(Options(after, rebind: true));

        Assert.Equal(["10"], after.Cursors);
        Assert.Equal(["1", "2"], Keys);
        // From then on it is the table's feed.
        await SyncRun.ToEndAsync(Options(after));
    }

    private static RawServer Serving(string? identity, string body) =>
        new(exchange => exchange.BodyAsync(body, identity is null ? "" : $"Lockstep-Feed: {identity}\r\n"));
}
