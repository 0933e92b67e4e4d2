using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Lockstep.Engine.Conformance;
using Lockstep.Engine.Feed;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>Our own feeds keep every rule by which any feed is judged, while it is quiet and while others write.</summary>
public sealed class ConformanceTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_tracked_table_breaks_no_rule(bool isWritten)
    {
        await using var db = await postgres.CreateAsync();
        await ChangeAsync(db, 1);
        await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        await ChangeAsync(db, 2);

        await CheckAsync(db, new PostgresFeedOptions { Table = LogicalPostgres.Items }, isWritten);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_untracked_table_that_is_shown_by_a_view_breaks_no_rule(bool isWritten)
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("CREATE VIEW shown AS SELECT * FROM items");
        await ChangeAsync(db, 1);

        await CheckAsync(
            db,
            new PostgresFeedOptions
            {
                Table = new TableName(null, "shown"),
                Key = ["id"],
                Name = "items",
            },
            isWritten
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_replicated_table_breaks_no_rule(bool isWritten)
    {
        using var folder = new TempFolder();
        await using var db = await postgres.CreateAsync();
        await ChangeAsync(db, 1);

        await CheckAsync(db, LogicalPostgres.Options(folder), isWritten);
    }

    /// <summary>Changes whose order is not that of the keys, with order values of their own.</summary>
    private static async Task ChangeAsync(TestDatabase db, int round)
    {
        for (var id = 10; id > 0; id--)
            await db.RunAsync($"INSERT INTO items VALUES ({(10 * round) + id}, 'n')");
        await db.RunAsync($"UPDATE items SET name = 'n{round}' WHERE id % 3 = 0");
        await db.RunAsync($"DELETE FROM items WHERE id % 5 = {round}");
    }

    private static async Task CheckAsync(TestDatabase db, PostgresFeedOptions options, bool isWritten)
    {
        var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            options with
            {
                PollInterval = TimeSpan.FromMilliseconds(50),
            },
            cancellationToken: Cancel
        );
        await using var server = await FeedServer.StartAsync(
            [feed],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
            cancellationToken: Cancel
        );
        var isFirst = true;

        var report = await FeedConformance.CheckAsync(
            new FeedOptions
            {
                Uri = new Uri(server.Uri, "items"),
                CursorStyle = CursorStyle.Query,
                Tap = _ =>
                {
                    if (isFirst && isWritten)
                        WriteAsync(db, server).GetAwaiter().GetResult();
                    isFirst = false;
                },
            },
            new ConformanceOptions { Heartbeat = TimeSpan.FromSeconds(30) },
            cancellationToken: Cancel
        );

        Assert.True(report.Passed, string.Join('\n', report.Results));
        if (!isWritten)
            return;
        string[] judged = [.. report.Results.Where(result => result.Outcome == RuleOutcome.Passed).Select(result => result.Id)];
        Assert.Superset(
            new HashSet<string> { "order", "cursor-inclusive", "cursor-lower-bound", "resume", "snapshot-completed", "tombstones" },
            judged.ToHashSet()
        );
    }

    /// <summary>Changes the table once the client has the whole set, and before it reads on.</summary>
    private static async Task WriteAsync(TestDatabase db, FeedServer server)
    {
        using var http = new HttpClient();
        await Eventually.TrueAsync(async () =>
        {
            var state = await http.GetFromJsonAsync<JsonNode>(new Uri(server.Uri, "_lockstep/state"), Cancel);
            return state!["connected"]!.AsArray().Any(client => (long)client!["position"]! > 0);
        });
        await ChangeAsync(db, 3);
    }
}
