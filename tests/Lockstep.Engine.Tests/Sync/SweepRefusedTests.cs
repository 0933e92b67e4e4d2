using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>A set with an uncertain end is not accepted if it would remove most of a table (I6).</summary>
[Trait("Invariant", "I6")]
public sealed class SweepRefusedTests : SyncTest
{
    [Theory]
    [InlineData(30, 0, 30)]
    [InlineData(30, 14, 16)]
    [InlineData(1, 0, 1)]
    [InlineData(20, 0, 20)]
    public async Task A_chunked_set_that_would_remove_all_or_more_than_half_of_many_changes_nothing(int rows, int sent, int lost)
    {
        await using var server = ThenChunked(Records(rows), Records(sent));
        await SyncRun.ToEndAsync(Options(server));

        (var error, _) = await SyncRun.ToErrorAsync<SweepRefusedException>(Options(server, resync: true));

        Assert.Equal((lost, rows, ErrorKind.SweepRefused, "SweepRefused"), (error.Lost, error.Rows, error.Kind, error.ErrorId));
        Assert.Contains(string.Join(", ", Enumerable.Range(sent + 1, Math.Min(3, lost))), error.Message, StringComparison.Ordinal);
        Assert.Equal(rows, Keys.Count);
        Assert.Equal(($"{rows}", true), (Info.Cursor.ToString(), Info.IsSetOwed));
    }

    [Theory]
    [InlineData("204 No Content")]
    [InlineData("205 Reset Content")]
    [InlineData("202 Accepted")]
    public async Task A_status_that_has_no_content_is_no_empty_set(string status)
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.BodyAsync(Records(3)) : exchange.StatusAsync(status)
        );
        await SyncRun.ToEndAsync(Options(server));

        var error = await Assert.ThrowsAnyAsync<FeedException>(() => SyncRun.ToEndAsync(Options(server, resync: true)));

        Assert.True(error is SweepRefusedException or FeedCutException, error.ToString());
        Assert.Equal(3, Keys.Count);
    }

    [Fact]
    public async Task Half_a_table_most_of_a_small_one_and_a_set_that_the_feed_ended_itself_are_believed()
    {
        await using var half = ThenChunked(Records(30), Records(15));
        await SyncRun.ToEndAsync(Options(half));
        await SyncRun.ToEndAsync(Options(half, resync: true));
        Assert.Equal(15, Keys.Count);

        // No more than 20 records.
        await using var small = ThenChunked(Records(20), Records(1));
        await SyncRun.ToEndAsync(To(small, "small.db"));
        Assert.Equal(19, (await SyncRun.ToEndAsync(To(small, "small.db", resync: true))).Result.Swept);

        // An empty snapshot is a snapshot.
        await using var whole = RawServer.WithBodies(Records(30), "");
        await SyncRun.ToEndAsync(To(whole, "whole.db"));
        Assert.Equal(30, (await SyncRun.ToEndAsync(To(whole, "whole.db", resync: true))).Result.Swept);

        await using var completed = ThenChunked(
            string.Concat(Enumerable.Range(1, 30).Select(id => Row(id, id))) + Completed(31),
            Completed(40)
        );
        await SyncRun.ToEndAsync(To(completed, "completed.db"));
        Assert.Equal(30, (await SyncRun.ToEndAsync(To(completed, "completed.db", resync: true))).Result.Swept);
    }

    [Fact]
    public async Task Force_lets_one_through_and_a_limit_is_kept_by_the_table()
    {
        await using var server = ThenChunked(Records(30), Records(10));
        await SyncRun.ToEndAsync(To(server, "a.db", limit: 70));
        Assert.Equal(20, (await SyncRun.ToEndAsync(To(server, "a.db", resync: true))).Result.Swept);
        Assert.Equal(70, new Table(Folder("a.db")).GetInfo().SweepLimit);

        await using var again = ThenChunked(Records(30), Records(10));
        await SyncRun.ToEndAsync(To(again, "b.db"));
        await SyncRun.ToErrorAsync<SweepRefusedException>(To(again, "b.db", resync: true));
        var forced = await SyncRun.ToEndAsync(To(again, "b.db", resync: true, force: true));
        Assert.Equal((20L, false), (forced.Result.Swept, forced.Result.IsSetOwed));
    }

    [Fact]
    public async Task What_was_refused_is_not_fetched_again_before_its_time_where_the_feed_insists_on_it()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(Records(30));
            }
            else if (exchange.Cursor == "0")
            {
                await exchange.ChunkedAsync();
                await exchange.LastChunkAsync();
            }
            else
            {
                await exchange.StatusAsync("410 Gone");
            }
        });
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToErrorAsync<SweepRefusedException>(Options(server));
        await SyncRun.ToErrorAsync<SweepRefusedException>(Options(server));

        Assert.Equal(["0", "30", "0", "30"], server.Cursors);
        Assert.Equal(30, Keys.Count);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Who_follows_has_the_updates_and_fetches_a_refused_set_again_after_growing_waits()
    {
        var time = new ManualTimeProvider();
        var sets = new List<DateTimeOffset>();
        var enough = new TaskCompletionSource();
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Cursor != "0")
            {
                await exchange.BodyAsync(Record(99, 100 + exchange.Number));
                return;
            }

            sets.Add(time.GetUtcNow());
            if (sets.Count == 4)
                enough.TrySetResult();
            await exchange.ChunkedAsync();
            if (sets.Count == 1)
                await exchange.ChunkAsync(Records(30));
            await exchange.LastChunkAsync();
        });
        await SyncRun.ToEndAsync(Options(server));
        var sync = new TableSync(Options(server, follow: true, resync: true, interval: 1, idle: -0.001, connect: -0.001), time);

        var moving = Pace.MoveAsync(time, TimeSpan.FromSeconds(1), enough.Task);
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (enough.Task.IsCompleted)
                break;
        }

        await moving;
        Assert.Equal(31, Keys.Count);
        Assert.Contains("99", Keys);
        Assert.True(sets[2] - sets[1] >= TimeSpan.FromSeconds(5), string.Join(' ', sets));
        Assert.True(sets[3] - sets[2] >= TimeSpan.FromSeconds(10), string.Join(' ', sets));
    }

    private static string Records(int count) => string.Concat(Enumerable.Range(1, count).Select(id => Record(id, id)));

    /// <summary>A body of known length, then chunked ones.</summary>
    private static RawServer ThenChunked(string first, string then) =>
        new(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(first);
                return;
            }

            await exchange.ChunkedAsync();
            if (then.Length > 0)
                await exchange.ChunkAsync(then);
            await exchange.LastChunkAsync();
        });

    private SyncOptions To(RawServer server, string file, bool resync = false, bool force = false, int? limit = null) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = new FileTableStore(Folder(file)),
            Resync = resync,
            Force = force,
            SweepLimit = limit,
        };
}
