using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A right that is revoked, and a policy that hides rows, end what is being read.</summary>
public sealed class RevokedTests(SharedPostgres postgres, LogicalPostgres logical) : IClassFixture<LogicalPostgres>, IDisposable
{
    private const string Hide = "ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE POLICY low ON items USING (id > 1)";
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, "REVOKE SELECT ON items FROM {0}", "GRANT SELECT ON items TO {0}")]
    [InlineData(true, "REVOKE SELECT ON items FROM {0}", "GRANT SELECT ON items TO {0}")]
    [InlineData(false, Hide, "ALTER TABLE items DISABLE ROW LEVEL SECURITY")]
    [InlineData(true, Hide, "ALTER TABLE items DISABLE ROW LEVEL SECURITY")]
    public async Task Who_follows_is_cut_off_and_comes_back_once_the_right_is_given_again(bool replicates, string take, string give)
    {
        await using var db = replicates ? await logical.CreateAsync() : await TestDatabase.CreateAsync(postgres);
        var role = $"reader_{Guid.NewGuid():N}";
        await db.RunAsync($"CREATE ROLE {role} LOGIN REPLICATION");
        if (!replicates)
        {
            await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY)");
            await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
            await db.RunAsync($"GRANT SELECT ON lockstep.\"public.items\" TO {role}");
        }

        await db.RunAsync($"GRANT SELECT ON items TO {role}; CREATE PUBLICATION everything FOR TABLE items; INSERT INTO items VALUES (1)");
        var options = LogicalPostgres.Options(_folder, r => r with { Publication = "everything" });
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString.Replace("Username=lockstep", $"Username={role}", StringComparison.Ordinal),
            options with
            {
                Mode = replicates ? PostgresFeedMode.Replication : PostgresFeedMode.Polling,
            },
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        await client.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        var reading = client.ReadAsync(_ => false, Cancel);
        await db.RunAsync(string.Format(CultureInfo.InvariantCulture, take, role));
        await Assert.ThrowsAnyAsync<Exception>(() => reading.WaitAsync(Eventually.Deadline, Cancel));
        Assert.True(reading.IsFaulted, "It was cut off, and not waited for in vain.");
        // Nothing is checked while nobody follows: a client that returns triggers the check.
        await Eventually.TrueAsync(IsRefusedAsync);

        await db.RunAsync(string.Format(CultureInfo.InvariantCulture, give, role) + "; INSERT INTO items VALUES (2)");
        await Eventually.WithoutAsync<FeedServingException>(() => client.ReadAsync(_ => client.Rows.Count == 2, Cancel));
        Assert.Equal(0, client.Resyncs);

        async Task<bool> IsRefusedAsync()
        {
            try
            {
                _ = await feed.OpenAsync(new FeedRequest(client.Cursor, client.Identity, Follower.Heartbeat), Cancel);
                return false;
            }
            catch (FeedUnavailableException e)
            {
                return e.InnerException is PostgresAccessException;
            }
            catch (PostgresAccessException)
            {
                // The request was the first to see it.
                return true;
            }
        }
    }
}
