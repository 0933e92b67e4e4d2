using System.Globalization;
using System.Net;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Serving;
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

    [Theory]
    [InlineData(PostgresFeedMode.Polling)]
    [InlineData(PostgresFeedMode.Replication)]
    public async Task A_stream_over_HTTP_ends_within_a_minute_and_the_next_request_is_forbidden(PostgresFeedMode mode)
    {
        await using var db = await logical.CreateAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        var role = $"reader_{Guid.NewGuid():N}";
        await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await db.RunAsync(
            $"CREATE ROLE {role} LOGIN REPLICATION; GRANT SELECT ON items, lockstep.\"public.items\" TO {role}; "
                + "CREATE PUBLICATION everything FOR TABLE items; INSERT INTO items VALUES (1, 'n')"
        );
        var feed = await PostgresFeed.StartAsync(
            db.ConnectionString.Replace("Username=lockstep", $"Username={role}", StringComparison.Ordinal),
            LogicalPostgres.Options(_folder, r => r with { Publication = "everything" }) with
            {
                Mode = mode,
                PollInterval = TimeSpan.FromSeconds(1),
            },
            cancellationToken: Cancel
        );
        await using var server = await FeedServer.StartAsync([feed], new FeedServerOptions(), cancellationToken: Cancel);
        using var client = new HttpClient();
        using var answer = await client.GetAsync(new Uri(server.Uri, "items"), HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancel));
        Assert.Contains("\"id\":1", await lines.ReadLineAsync(Cancel), StringComparison.Ordinal);
        await db.RunAsync($"REVOKE SELECT ON items FROM {role}");
        await EndAsync(lines).WaitAsync(TimeSpan.FromMinutes(1), Cancel);
        await Eventually.TrueAsync(async () => await StatusAsync() == HttpStatusCode.Forbidden);
        await db.RunAsync($"GRANT SELECT ON items TO {role}");
        await Eventually.TrueAsync(async () => await StatusAsync() == HttpStatusCode.OK);

        async Task<HttpStatusCode> StatusAsync()
        {
            using var response = await client.GetAsync(new Uri(server.Uri, "items"), HttpCompletionOption.ResponseHeadersRead, Cancel);
            return response.StatusCode;
        }

        static async Task EndAsync(StreamReader lines)
        {
            try
            {
                while (await lines.ReadLineAsync(Cancel) is not null) { }
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                // Cut off in the middle, which is right too.
            }
        }
    }
}
