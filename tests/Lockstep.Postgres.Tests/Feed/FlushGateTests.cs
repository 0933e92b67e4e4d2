using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>What is not on the disk of the server that showed it is waited for there, and nowhere else.</summary>
public sealed class FlushGateTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_has_taken_over_is_not_made_to_write_until_it_is_as_far_as_the_lost_one()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var source = NpgsqlDataSource.Create(db.ConnectionString + ";Pooling=false");
        using var gate = new FlushGate(source, TimeProvider.System);
        var flushed = long.Parse(
            await db.ScalarAsync("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"),
            System.Globalization.CultureInfo.InvariantCulture
        );
        var lost = new SnapshotState
        {
            Snapshot = PgSnapshot.Below(1),
            IsReplica = false,
            Server = "1.99.1-0",
            Timeline = 99,
            Facts = null,
            End = flushed + (1L << 40),
            Flushed = flushed,
            Floor = 0,
        };

        await Assert.ThrowsAsync<FeedUnavailableException>(() =>
            gate.WaitAsync(lost, Cancel).AsTask().WaitAsync(Eventually.Deadline, Cancel)
        );
        await gate.WaitAsync(lost with { Timeline = 1, End = flushed + 1 }, Cancel).AsTask().WaitAsync(Eventually.Deadline, Cancel);
    }
}
