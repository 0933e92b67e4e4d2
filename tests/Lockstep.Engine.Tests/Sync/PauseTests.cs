using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>A pause is not an end: what silence means, and bytes that change nothing.</summary>
public sealed class PauseTests : SyncTest
{
    [Fact(Timeout = Pace.Limit)]
    public async Task A_body_without_a_length_that_pauses_longer_than_the_settling_time_is_read_to_its_end()
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await SendAsync(exchange, pace, Record(1, 1), pause: 2);
            await exchange.ChunkAsync(Record(2, 2));
            await exchange.LastChunkAsync();
        });

        (var sync, pace) = Paced(Options(server));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.EndOfFeed, 2L, true), (run.Result.EndReason, run.Result.Added, run.Result.IsComplete));
        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Blank_lines_before_the_first_record_are_no_reason_to_end()
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            for (var i = 1; i <= 12; i++)
            {
                await exchange.ChunkAsync("\n");
                await pace.ReceivedAsync(i);
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
        Assert.Contains("may have more", Warning(first), StringComparison.Ordinal);
        Assert.DoesNotContain("no further", Warning(first), StringComparison.Ordinal);
        // A server that ignores the cursor and pauses at the same place is never got past: that is said.
        Assert.Contains("no further than the cursor 1", Warning(second), StringComparison.Ordinal);
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

    [Fact]
    public async Task A_table_file_of_the_first_release_is_read_and_gets_what_it_lacks()
    {
        await using var server = RawServer.WithBodies(Record(1, 1), Record(2, 2));
        await SyncRun.ToEndAsync(Options(server));
        using (var connection = TableFile.OpenForWriting(TablePath, null))
            TableFile.Execute(connection, "ALTER TABLE lockstep_table DROP COLUMN feed_ending");

        Assert.Equal(1, Info.Rows);
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["1", "2"], Keys);
        using var writer = TableFile.OpenForWriting(TablePath, null);
        Assert.Equal((long)FeedEnding.Ends, TableFile.Scalar(writer, "SELECT feed_ending FROM lockstep_table"));
    }

    private static string Warning(SyncRun run) => Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning).Message;

    private static async Task SendAsync(RawExchange exchange, Pace pace, string records, double pause, int before = 0)
    {
        await exchange.ChunkAsync(records);
        await pace.ReceivedAsync(before + records.Length);
        await pace.PassAsync(TimeSpan.FromSeconds(pause));
    }
}
