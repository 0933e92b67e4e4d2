using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests;

/// <summary>Each version of PostgreSQL that LOCKSTEP_POSTGRES names, or the machine's own.</summary>
public sealed class VersionTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Versions => [.. PostgresVersions.Asked.Where(v => v >= 14).DefaultIfEmpty(0)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Polling_and_replication_end_with_the_same_rows_after_random_writes(int version)
    {
        await using var server = await PostgresServer.StartAsync(
            version == 0 ? null : version,
            Cancel,
            "wal_level=logical",
            "max_prepared_transactions=20"
        );
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        var options = LogicalPostgres.Options(_folder);
        await using var polled = await PostgresFeed.StartAsync(
            db.ConnectionString,
            options with
            {
                Mode = PostgresFeedMode.Polling,
            },
            cancellationToken: Cancel
        );
        await using var streamed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        var (poll, stream) = (new Follower(polled), new Follower(streamed));
        for (var round = 0; round < 3; round++)
        {
            await db.RunAsync(
                $"INSERT INTO items SELECT g, 'n' || g FROM generate_series({round * 50}, {(round * 50) + 99}) g ON "
                    + $"CONFLICT (id) DO UPDATE SET name = 'again';"
                    + $"DELETE FROM items WHERE id % 7 = {round}; UPDATE items SET id = id + 1000 WHERE id % 11 = {round}"
            );
            var expected = await db.RowsAsync("items");
            await poll.ReadAsync(_ => poll.Rows.SequenceEqual(expected), Cancel);
            await stream.ReadAsync(_ => stream.Rows.SequenceEqual(expected), Cancel);
        }

        await db.RunAsync("VACUUM FULL items");
        await db.RunAsync("TRUNCATE items");
        await db.RunAsync("INSERT INTO items VALUES (1, 'after')");
        foreach (var client in (Follower[])[poll, stream])
        {
            await Eventually.WithoutAsync<FeedServingException>(() => client.ReadAsync(_ => client.Rows.Count == 1, Cancel));
            Assert.Equal(await db.RowsAsync("items"), client.Rows);
        }
    }

    [Theory]
    [InlineData("13.9", false)]
    [InlineData("14.0", true)]
    [InlineData("18.4", true)]
    public void A_version_that_is_too_old_is_refused_by_name(string version, bool isFine)
    {
        var refused = Record.Exception(() => PostgresVersion.Check(Version.Parse(version)));
        if (isFine)
        {
            Assert.Null(refused);
        }
        else
        {
            Assert.Contains(
                "PostgreSQL 13; feeds need 14",
                Assert.IsType<PostgresTableException>(refused).Message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public async Task A_server_of_13_is_refused_when_serving_and_tracking()
    {
        if (!PostgresVersions.Asked.Contains(13))
            Assert.Skip("LOCKSTEP_POSTGRES does not name 13.");
        await using var server = await PostgresServer.StartAsync(13, Cancel);
        await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresFeed.StartAsync(server.ConnectionString, new PostgresFeedOptions { Table = TableCase.Items }, cancellationToken: Cancel)
        );
        await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresTracking.PlanEnableAsync(server.ConnectionString, TableCase.Items, cancellationToken: Cancel)
        );
    }
}
