using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>What is wrong with a role or a database is said, with what to do about it.</summary>
public sealed class SetupMessageTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(PostgresFeedMode.Polling)]
    [InlineData(PostgresFeedMode.Replication)]
    public async Task A_role_at_its_connection_limit_is_served_once_there_is_room(PostgresFeedMode mode)
    {
        await using var db = await postgres.CreateAsync();
        await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        var role = $"limited_{Guid.NewGuid():N}";
        await db.RunAsync(
            $"CREATE ROLE {role} SUPERUSER LOGIN; ALTER ROLE {role} NOSUPERUSER REPLICATION CONNECTION LIMIT 1; "
                + $"GRANT ALL ON items, lockstep.\"public.items\" TO {role}; CREATE PUBLICATION own FOR TABLE items"
        );
        var connection = db.ConnectionString.Replace("Username=lockstep", $"Username={role}", StringComparison.Ordinal);
        var options = LogicalPostgres.Options(_folder, r => r with { Publication = "own" }) with { Mode = mode };
        await using (var other = TestDatabase.Open(connection))
        await using (await other.ConnectAsync())
        {
            var error = await Assert.ThrowsAsync<FeedUnavailableException>(() =>
                PostgresFeed.StartAsync(connection, options, cancellationToken: Cancel)
            );
            Assert.Contains("too many connections for role", error.Message, StringComparison.Ordinal);
            Assert.Contains("CONNECTION LIMIT", error.Message, StringComparison.Ordinal);
        }

        await db.RunAsync($"ALTER ROLE {role} CONNECTION LIMIT 20");
        await using var feed = await PostgresFeed.StartAsync(connection, options, cancellationToken: Cancel);
        await db.RunAsync("INSERT INTO items VALUES (1, 'n')");
        var client = new Follower(feed);
        await Eventually.WithoutAsync<FeedUnavailableException>(() => client.ReadAsync(_ => client.Rows.Count == 1, Cancel));
    }

    [Theory]
    [InlineData(PostgresFeedMode.Polling)]
    [InlineData(PostgresFeedMode.Replication)]
    public async Task Bytes_that_are_not_UTF_8_are_said_to_be_there_and_service_goes_on_once_they_are_repaired(PostgresFeedMode mode)
    {
        await using var first = await postgres.CreateAsync("SELECT 1");
        var name = $"ascii_{Guid.NewGuid():N}";
        await first.RunAsync($"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
        var current = await first.ScalarAsync("SELECT current_database()");
        await using var db = TestDatabase.Open(first.ConnectionString.Replace(current, name, StringComparison.Ordinal));
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        if (mode == PostgresFeedMode.Polling)
        {
            await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        }

        await db.RunAsync("INSERT INTO items VALUES (1, 'good'), (2, convert_from('\\xff', 'SQL_ASCII'))");
        var notices = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var options = LogicalPostgres.Options(_folder) with { Mode = mode, Logger = CallbackLogger.OfWarnings(notices.Enqueue) };
        await using var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        var client = new Follower(feed);

        // In a snapshot.
        var error = await Record.ExceptionAsync(() => client.ReadAsync(_ => false, Cancel));
        AssertSaid(error);
        await db.RunAsync("UPDATE items SET name = 'repaired' WHERE id = 2");
        await Eventually.WithoutAsync<LockstepException>(() => client.ReadAsync(_ => client.Rows.Count == 2, Cancel));

        // In a change. In the server's log it stays, so clients of replication start over.
        var following = mode == PostgresFeedMode.Polling ? await client.FollowAsync(rows: 3, Cancel) : Task.CompletedTask;
        await db.RunAsync("INSERT INTO items VALUES (3, convert_from('\\xff', 'SQL_ASCII'))");
        if (mode == PostgresFeedMode.Polling)
        {
            await Eventually.TrueAsync(() => feed.Error is PostgresTableException);
            AssertSaid(feed.Error);
        }
        else
        {
            await Eventually.TrueAsync(() => notices.Any(n => n.Contains("not UTF-8", StringComparison.Ordinal)));
        }

        await db.RunAsync("UPDATE items SET name = 'good' WHERE id = 3");
        await following;
        await Eventually.WithoutAsync<LockstepException>(() => client.ReadAsync(_ => client.Rows.Count == 3, Cancel));
        Assert.Equal(await db.RowsAsync("items"), client.Rows);

        static void AssertSaid(Exception? error)
        {
            var said = Assert.IsType<PostgresTableException>(error);
            Assert.Contains("not UTF-8", said.Message, StringComparison.Ordinal);
            Assert.Contains("Repair those values", said.RecommendedAction, StringComparison.Ordinal);
        }
    }
}
