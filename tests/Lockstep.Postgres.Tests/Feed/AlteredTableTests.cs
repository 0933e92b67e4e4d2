using System.Globalization;
using System.Text.Json.Nodes;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// Whatever DDL there is and however it lies between writes: in the end every client has the table, those who follow all the time and those
/// who sleep through it, and nobody starts over who need not. LOCKSTEP_LONG=1 runs more seeds, LOCKSTEP_SEED a single one.
/// </summary>
public sealed class AlteredTableTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private const int Steps = 25;
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<PostgresFeedMode, AlteredShape, int> Cases
    {
        get
        {
            var seeds = Environment.GetEnvironmentVariable("LOCKSTEP_LONG") == "1" ? 40 : 1;
            var cases = new TheoryData<PostgresFeedMode, AlteredShape, int>();
            var isOne = int.TryParse(Environment.GetEnvironmentVariable("LOCKSTEP_SEED"), CultureInfo.InvariantCulture, out var one);
            foreach (var mode in Enum.GetValues<PostgresFeedMode>())
            {
                foreach (var shape in Enum.GetValues<AlteredShape>())
                {
                    foreach (var seed in isOne ? [one] : Enumerable.Range(1, seeds))
                        cases.Add(mode, shape, seed);
                }
            }

            return cases;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Every_client_ends_with_the_table_and_stays(PostgresFeedMode mode, AlteredShape shape, int seed)
    {
        await using var db = await postgres.CreateAsync("SELECT 1");
        var random = new Random(seed);
        var isPolling = mode == PostgresFeedMode.Polling;
        await using var table = new AlteredTable(db, random, shape, isPolling ? () => TrackAsync(db) : null);
        await table.CreateAsync();
        var feed = await StartAsync(db, mode);
        try
        {
            // The first one looks often, the last one sleeps through everything.
            Follower[] clients = [.. Enumerable.Range(0, 4).Select(_ => new Follower(feed))];
            foreach (var client in clients)
                await CatchUpAsync(client, db, isPolling);
            var restarts = 0;
            for (var step = 0; step < Steps; step++)
            {
                await table.StepAsync();
                if (random.Next(20) == 0)
                {
                    await postgres.CrashAsync();
                    await table.CrashedAsync();
                }

                if (random.Next(8) == 0)
                {
                    table.Tell("The feed ends.");
                    await feed.DisposeAsync();
                    await table.StepAsync();
                    await table.StepAsync();
                    table.Tell("It starts again.");
                    feed = await RestartAsync(table, db, mode);
                    restarts++;
                    foreach (var client in clients)
                        client.Source = feed;
                }

                for (var i = 0; i < clients.Length - 1; i++)
                {
                    if (random.Next(2 + (i * 4)) > 0)
                        continue;
                    table.Tell($"Client {i} looks.");
                    await TryCatchUpAsync(table, clients[i], db, isPolling);
                }
            }

            await table.SettleAsync();
            var expected = await RowsAsync(db);
            foreach (var client in clients)
            {
                await CatchUpAsync(client, db, isPolling);
                Assert.True(
                    Rows(client).SequenceEqual(expected),
                    $"Client {Array.IndexOf(clients, client)} lacks {string.Join(' ', expected.Except(Rows(client)))}\n"
                        + $"and has {string.Join(' ', Rows(client).Except(expected))}\n{table.Story}"
                );
            }

            var resyncs = clients.Sum(c => c.Resyncs);
            Assert.True(clients.All(c => c.Resyncs <= 2 * (table.Alterations + restarts + 2)), table.Story);
            foreach (var id in (int[])[1, 2])
            {
                await db.RunAsync($"DELETE FROM items WHERE id = {id}");
                await db.RunAsync($"INSERT INTO items (id, v) VALUES ({id}, 7)");
                foreach (var client in clients)
                {
                    await CatchUpAsync(client, db, isPolling);
                    Assert.Equal(await RowsAsync(db), Rows(client));
                }
            }

            Assert.True(clients.Sum(c => c.Resyncs) == resyncs, $"There is no end of starting over.\n{table.Story}");
        }
        finally
        {
            await feed.DisposeAsync();
            if (!isPolling)
                await LogicalPostgres.DropSlotsAsync(db);
        }
    }

    private async Task<PostgresFeed> StartAsync(TestDatabase db, PostgresFeedMode mode) =>
        await PostgresFeed.StartAsync(
            db.ConnectionString,
            mode == PostgresFeedMode.Replication
                ? LogicalPostgres.Options(_folder) with
                {
                    Patience = TimeSpan.FromSeconds(2),
                }
                : new PostgresFeedOptions { Table = TableCase.Items, PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );

    /// <summary>Nobody can serve it as it is, perhaps: then it is made so that one can.</summary>
    private async Task<PostgresFeed> RestartAsync(AlteredTable table, TestDatabase db, PostgresFeedMode mode)
    {
        try
        {
            return await StartAsync(db, mode);
        }
        catch (PostgresTableException e)
        {
            table.Tell(e.Message);
            await table.SettleAsync();
            return await StartAsync(db, mode);
        }
    }

    private static Task<TrackingPlan> TrackAsync(TestDatabase db) =>
        PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);

    private static async Task TryCatchUpAsync(AlteredTable table, Follower client, TestDatabase db, bool isPolling)
    {
        try
        {
            await client.CatchUpAsync(await EndAsync(db, isPolling), Cancel);
        }
        catch (Exception e) when (e is FeedUnavailableException or PostgresTableException)
        {
            table.Tell(e.Message);
        }
    }

    private static async Task CatchUpAsync(Follower client, TestDatabase db, bool isPolling)
    {
        var end = await EndAsync(db, isPolling);
        await Eventually.WithoutAsync<FeedUnavailableException>(() =>
            Eventually.WithoutAsync<PostgresTableException>(() => client.CatchUpAsync(end, Cancel))
        );
    }

    /// <summary>The cursor of who has everything that can be had now: a transaction that is open holds that of polling back.</summary>
    private static async Task<long> EndAsync(TestDatabase db, bool isPolling) =>
        isPolling
            ? long.Parse(await db.ScalarAsync("SELECT pg_snapshot_xmin(pg_current_snapshot())"), CultureInfo.InvariantCulture)
            : await LogicalPostgres.EndAsync(db);

    /// <summary>Without nulls: earlier records lack a column that was added later.</summary>
    private static async Task<string[]> RowsAsync(TestDatabase db) => WithoutNulls((await db.RowsAsync("items")).Values);

    private static string[] Rows(Follower client) => WithoutNulls(client.Rows.Values);

    private static string[] WithoutNulls(IEnumerable<string> rows) =>
        [
            .. rows.Select(row =>
                {
                    var members = JsonNode.Parse(row)!.AsObject();
                    return JsonText.Canonical(
                        new JsonObject(
                            members.Where(m => m.Value is not null).Select(m => KeyValuePair.Create(m.Key, m.Value?.DeepClone()))
                        ).ToJsonString()
                    );
                })
                .Order(StringComparer.Ordinal),
        ];
}
