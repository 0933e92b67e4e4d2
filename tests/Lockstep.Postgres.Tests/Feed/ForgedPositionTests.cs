using System.Buffers.Text;
using System.Text;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A forged page position is answered with 400, and is not a failure of the feed or of the database.</summary>
public sealed class ForgedPositionTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private const string Table = "CREATE TABLE items (id int, at timestamptz, name text, PRIMARY KEY (id, at, name))";

    private readonly TempFolder _folder = new();

    private static readonly string[] Forged =
    [
        """["x","2026-01-01","a"]""",
        """["99999999999999","2026-01-01","a"]""",
        """["1","no time","a"]""",
        """["1","2026-13-77","a"]""",
        """["1","2026-01-01","\u0000"]""",
        """["1","2026-01-01","\ud800"]""",
        """["1","2026-01-01"]""",
        """["1","2026-01-01",null]""",
        """[1,2,3]""",
        """{"a":1}""",
        """["1'); DROP TABLE items; --","2026-01-01","a"]""",
        "\"",
        "",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(PostgresFeedMode.Polling)]
    [InlineData(PostgresFeedMode.Replication)]
    public async Task It_is_refused_as_such(PostgresFeedMode mode)
    {
        await using var db = await postgres.CreateAsync(Table);
        if (mode == PostgresFeedMode.Polling)
            await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        await db.RunAsync("INSERT INTO items VALUES (1, '2026-01-01', 'a'), (2, '2026-01-01', 'b')");
        var options = LogicalPostgres.Options(_folder) with { Mode = mode, PageRows = 1 };
        await using var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        var first = await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancel);

        foreach (var json in Forged)
        {
            var position = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));
            var error = await Record.ExceptionAsync(async () =>
                await feed.ReadPageAsync(new SnapshotPageRequest(first.Identity, first.Horizon, position), Cancel)
            );
            Assert.True(error is FeedPositionException, $"{json}: {error}");
        }

        await feed.ReadPageAsync(new SnapshotPageRequest(first.Identity, first.Horizon, first.Next), Cancel);
        Assert.Equal("2", await db.ScalarAsync("SELECT count(*) FROM items"));
    }
}
