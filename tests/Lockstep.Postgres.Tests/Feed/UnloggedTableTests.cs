using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// An unlogged table loses its rows in a crash, and the stream does not report what is written to it. Clients end with the right rows
/// even if it is logged again before the feed has looked.
/// </summary>
public sealed class UnloggedTableTests : IDisposable
{
    private const string Plain = "CREATE TABLE items (id int PRIMARY KEY, v int)";
    private const string WithText = "CREATE TABLE items (id int PRIMARY KEY, v int, more text)";
    private const string Parts =
        "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF items DEFAULT";
    private const string PartsWithText =
        "CREATE TABLE items (id int PRIMARY KEY, v int, more text) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF items DEFAULT";
    private const string SubParts =
        "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE outer_part PARTITION OF items DEFAULT "
        + "PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF outer_part DEFAULT";
    private const string Own = "CREATE TABLE items (id int PRIMARY KEY, v int, txid bigint DEFAULT txid_current(), deleted boolean)";
    private const string Shown = "CREATE TABLE base (id int PRIMARY KEY, v int); CREATE VIEW items AS SELECT * FROM base";
    private const string OwnShown =
        "CREATE TABLE base (id int PRIMARY KEY, v int, txid bigint DEFAULT txid_current(), deleted boolean); CREATE VIEW items AS SELECT * "
        + "FROM base";
    private const string All = Plain + "; CREATE PUBLICATION everything FOR ALL TABLES";
    private const string AllWithText = WithText + "; CREATE PUBLICATION everything FOR ALL TABLES";

    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, bool> Polled =>
        new MatrixTheoryData<string, bool>([Plain, WithText, Parts, SubParts, Own, Shown, OwnShown], [false, true]);

    public static TheoryData<string, bool> Streamed =>
        new MatrixTheoryData<string, bool>([Parts, PartsWithText, SubParts, All, AllWithText], [false, true]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Polled))]
    public async Task Rows_that_a_crash_took_are_gone_at_clients_of_polling(string sql, bool isDown)
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync(sql);
        var isTracked = sql is Plain or WithText or Parts or SubParts;
        if (isTracked)
            await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await PassAsync(
            db,
            new PostgresFeedOptions
            {
                Table = TableCase.Items,
                Key = ["id"],
                PollInterval = TimeSpan.FromMilliseconds(20),
            },
            TableOf(sql),
            isDown,
            () => server.CrashAsync(Cancel),
            () => server.StartAsync(Cancel),
            async () => long.Parse(await db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"), CultureInfo.InvariantCulture)
        );
    }

    [Theory]
    [MemberData(nameof(Streamed))]
    public async Task What_a_crash_took_or_the_stream_did_not_have_is_right_at_clients_of_replication(string sql, bool isDown)
    {
        await using var server = await LogicalPostgres.StartServerAsync();
        foreach (var crashes in (bool[])[false, true])
        {
            await using var db = TestDatabase.Open(await server.CreateDatabaseAsync(Cancel));
            await db.RunAsync(sql);
            await PassAsync(
                db,
                LogicalPostgres.Options(
                    _folder,
                    r => r with { LogPath = _folder[$"{crashes}.log"], Publication = sql is All or AllWithText ? "everything" : null }
                ),
                TableOf(sql),
                isDown,
                () => crashes ? server.CrashAsync(Cancel) : Task.CompletedTask,
                () => crashes ? server.StartAsync(Cancel) : Task.CompletedTask,
                () => LogicalPostgres.EndAsync(db)
            );
            await LogicalPostgres.DropSlotsAsync(db);
        }
    }

    private static string TableOf(string sql) =>
        sql.Contains(" part ", StringComparison.Ordinal) ? "part"
        : sql is Shown or OwnShown ? "base"
        : "items";

    private static async Task PassAsync(
        TestDatabase db,
        PostgresFeedOptions options,
        string table,
        bool isDown,
        Func<Task> crash,
        Func<Task> start,
        Func<Task<long>> end
    )
    {
        await db.RunAsync($"INSERT INTO {table} (id, v) VALUES (1, 1), (2, 2), (3, 3)");
        var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        try
        {
            var client = new Follower(feed);
            await CatchUpAsync();
            Assert.Equal(3, client.Rows.Count);
            if (isDown)
                await feed.DisposeAsync();
            await db.RunAsync($"ALTER TABLE {table} SET UNLOGGED");
            await db.RunAsync($"UPDATE {table} SET v = 7 WHERE id = 2; DELETE FROM {table} WHERE id = 3");
            await crash();
            await start();
            await db.RunAsync($"ALTER TABLE {table} SET LOGGED");
            await db.RunAsync($"INSERT INTO {table} (id, v) VALUES (4, 4)");
            if (isDown)
                client.Source = feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
            await CatchUpAsync();
            Assert.Equal((await db.RowsAsync("items")).Select(Visible), client.Rows.Select(Visible));

            async Task CatchUpAsync()
            {
                var horizon = await end();
                await Eventually.WithoutAsync<FeedServingException>(() => client.CatchUpAsync(horizon, Cancel));
            }
        }
        finally
        {
            await feed.DisposeAsync();
        }
    }

    private static string Visible(KeyValuePair<string, string> row)
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(row.Value)!.AsObject();
        json.Remove("deleted");
        json.Remove("more");
        return json.ToJsonString();
    }
}
