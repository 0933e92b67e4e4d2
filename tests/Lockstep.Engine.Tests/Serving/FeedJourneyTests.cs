using System.Text;
using Lockstep.Engine.Serving;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Engine.Tests.Serving;

public class FeedJourneyTests
{
    private readonly ScriptedSteps _steps = new() { Newest = 2 };

    public FeedJourneyTests() => _steps.Live.Restart("feed", new LogPosition(2));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_from_nothing_gets_the_snapshot_then_the_changes_and_then_what_is_live()
    {
        _steps.OnChanges = () => _steps.Newest = 3;
        await using var chunks = Chunks(since: 0);
        Assert.Equal("SnapshotRows 1", await NextAsync(chunks));
        Assert.Equal("SnapshotRows 2", await NextAsync(chunks));
        Assert.Equal("Rows 3", await NextAsync(chunks));
        Assert.Equal("SnapshotCompleted @3", await NextAsync(chunks));
        _steps.Append(2);
        Assert.Equal("Rows 4", await NextAsync(chunks));
        Assert.Equal("CaughtUp 5@5", await NextAsync(chunks));
        Assert.Equal(["came"], _steps.Told);
        await chunks.DisposeAsync();
        Assert.Equal(["came", "left"], _steps.Told);
    }

    [Fact]
    public async Task A_client_with_a_cursor_gets_what_follows_it_and_hears_that_it_has_caught_up()
    {
        await using var chunks = Chunks(since: 1);
        Assert.Equal("Rows 2", await NextAsync(chunks));
        Assert.Equal("CaughtUp @2", await NextAsync(chunks));
    }

    [Fact]
    public async Task A_client_that_has_read_a_part_of_a_batch_gets_the_rest_of_it()
    {
        await using var chunks = Chunks(since: 2);
        _steps.OnChanges = () => _steps.Newest = 4;
        Assert.Equal("Rows 3", await NextAsync(chunks));
        Assert.Equal("Rows 4", await NextAsync(chunks));
        Assert.Equal("CaughtUp @4", await NextAsync(chunks));

        // The thread that fills the log has not looked since.
        _steps.Newest = 2;
        _steps.Append(4);
        Assert.Equal("Rows 5", await NextAsync(chunks));
        Assert.Equal("CaughtUp 6@6", await NextAsync(chunks));
    }

    [Fact]
    public async Task A_batch_that_a_client_has_already_is_not_sent_again()
    {
        await using var chunks = Chunks(since: 2);
        _steps.OnChanges = () => _steps.Newest = 3;
        Assert.Equal("Rows 3", await NextAsync(chunks));
        Assert.Equal("CaughtUp @3", await NextAsync(chunks));
        _steps.Newest = 2;
        _steps.Append();
        var next = NextAsync(chunks);
        Assert.False(next.IsCompleted);
        _steps.Append();
        Assert.Equal("CaughtUp 4@4", await next);
    }

    [Fact]
    public async Task A_client_too_slow_for_the_live_log_reads_changes_again()
    {
        await using var chunks = Chunks(since: 2);
        Assert.Equal("CaughtUp @2", await NextAsync(chunks));
        _steps.Append();
        Assert.Equal("CaughtUp 3@3", await NextAsync(chunks));
        _steps.Append(100);
        Assert.Equal("Rows 4", await NextAsync(chunks));
        Assert.Equal(["came", "sent back"], _steps.Told);
    }

    [Fact]
    public async Task Silence_is_ended_by_a_heartbeat()
    {
        await using var chunks = Chunks(since: 2);
        Assert.Equal("CaughtUp @2", await NextAsync(chunks));
        var next = NextAsync(chunks);
        _steps.Clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal("CaughtUp @2", await next);
    }

    [Fact]
    public async Task A_client_that_the_live_log_does_not_know_yet_reads_again_after_a_while()
    {
        _steps.Live.Restart("other", new LogPosition(7));
        await using var chunks = Chunks(since: 2);
        Assert.Equal("CaughtUp @2", await NextAsync(chunks));
        var next = NextAsync(chunks);
        Assert.False(next.IsCompleted);
        _steps.Newest = 3;
        _steps.Live.Restart("feed", new LogPosition(3));
        _steps.Clock.Advance(_steps.PollInterval);
        Assert.Equal("Rows 3", await next);
    }

    [Fact]
    public async Task A_client_that_follows_is_cut_off_when_another_feed_is_served()
    {
        await using var chunks = Chunks(since: 2);
        Assert.Equal("CaughtUp @2", await NextAsync(chunks));
        var next = NextAsync(chunks);
        _steps.Live.Restart("other", new LogPosition(1));
        Assert.Equal("other", (await Assert.ThrowsAsync<FeedIdentityChangedException>(() => next)).Identity);
    }

    [Fact]
    public async Task A_client_that_follows_is_cut_off_when_the_source_stops()
    {
        await using var chunks = Chunks(since: 2);
        Assert.Equal("CaughtUp @2", await NextAsync(chunks));
        var next = NextAsync(chunks);
        _steps.Live.Close();
        Assert.Contains("'numbers'", (await Assert.ThrowsAsync<FeedUnavailableException>(() => next)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "1,2,3")]
    [InlineData(1, "2,3")]
    [InlineData(3, "")]
    public void Of_a_piece_only_the_lines_after_a_transaction_are_left(long transaction, string left)
    {
        var lines = new FeedLines(new RowLimits("feed", RowLimits.DefaultBytes, checksJson: true, NullLogger.Instance), () => ["id"]);
        for (var i = 1; i <= 3; i++)
            lines.Append(i, horizon: 9, isDeleted: i == 2, Encoding.UTF8.GetBytes($"{{\"id\":\n{i}}}"));
        var rows = RelayClient.Parse(FeedLines.After(Assert.Single(lines.Take()), transaction));
        Assert.Equal(left, string.Join(',', rows.Select(r => r.Id)));
    }

    private IAsyncEnumerator<FeedChunk> Chunks(long since) => Chunks(_steps, since);

    private static IAsyncEnumerator<FeedChunk> Chunks(ScriptedSteps steps, long since) =>
        steps.Journey(since).ReadAsync(Cancel).GetAsyncEnumerator(Cancel);

    private static async Task<string> NextAsync(IAsyncEnumerator<FeedChunk> chunks)
    {
        Assert.True(await chunks.MoveNextAsync());
        return ScriptedSteps.Describe(chunks.Current);
    }
}
