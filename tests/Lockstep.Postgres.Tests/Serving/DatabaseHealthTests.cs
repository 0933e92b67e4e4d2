using System.Net;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

public sealed class DatabaseHealthTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_the_database_is_stopped_the_server_lives_and_is_not_ready()
    {
        await using var database = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(database.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "items"), cancellationToken: Cancel);
        var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = new TableName(null, "items") },
            cancellationToken: Cancel
        );
        await using var server = await FeedServer.StartAsync([feed], new FeedServerOptions(), cancellationToken: Cancel);
        using var client = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("healthz"));

        await database.StopAsync(Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync("healthz"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync("readyz"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync("readyz/items"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("livez"));

        await database.StartAsync(Cancel);
        await Eventually.TrueAsync(async () => await StatusAsync("readyz") == HttpStatusCode.OK);

        async Task<HttpStatusCode> StatusAsync(string path)
        {
            using var response = await client.GetAsync(new Uri(server.Uri, path), Cancel);
            return response.StatusCode;
        }
    }
}
