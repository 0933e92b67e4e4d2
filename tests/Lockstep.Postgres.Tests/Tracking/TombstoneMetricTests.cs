using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tracking;

/// <summary>How many tombstones a feed reports.</summary>
public sealed class TombstoneMetricTests(SharedPostgres postgres)
{
    private const string Tombstones = "lockstep.feed.tombstones";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tombstones_are_counted_by_the_statistics_now_and_then_even_while_nobody_follows()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)");
        await items.Db.RunAsync("INSERT INTO items SELECT generate_series(1, 10); DELETE FROM items WHERE id <= 3");
        await StatisticsAsync(items.Db, 3);
        var time = new ShiftedTime();
        await using var feed = await PostgresFeed.StartAsync(
            items.Db.ConnectionString,
            new PostgresFeedOptions { Table = TableCase.Items, Name = "graves" },
            time,
            Cancel
        );
        Assert.Equal([3], Values("graves"));

        // A scrape asks the database nothing, and neither does a look that comes soon.
        await items.Db.RunAsync("DELETE FROM items WHERE id <= 5");
        await StatisticsAsync(items.Db, 5);
        time.Advance(TimeSpan.FromSeconds(10));
        await feed.GetStateAsync(Cancel);
        Assert.Equal([3], Values("graves"));
        time.Advance(TimeSpan.FromSeconds(20));
        await feed.GetStateAsync(Cancel);
        Assert.Equal([5], Values("graves"));
    }

    [Fact]
    public async Task What_has_no_tombstones_reports_none()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE VIEW clock AS SELECT 1 AS id");
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = new TableName(null, "clock"), Name = "graveless" },
            cancellationToken: Cancel
        );

        Assert.Empty(Values("graveless"));
    }

    /// <summary>Waits until the server's statistics have a number of tombstones: sessions report to them when they end.</summary>
    private static Task StatisticsAsync(TestDatabase db, int count) =>
        Eventually.TrueAsync(async () =>
            await db.ScalarAsync("SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 'public.items'") == $"{count}"
        );

    private static long[] Values(string feed)
    {
        using var measurements = new FeedMeasurements(feed);
        measurements.Observe();
        return measurements.Values(Tombstones);
    }

    /// <summary>The system's clock, which can be advanced; its timers are the system's.</summary>
    private sealed class ShiftedTime : TimeProvider
    {
        private long _shift;

        public void Advance(TimeSpan by) => Interlocked.Add(ref _shift, (long)(by.TotalSeconds * TimestampFrequency));

        public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _shift);
    }
}
