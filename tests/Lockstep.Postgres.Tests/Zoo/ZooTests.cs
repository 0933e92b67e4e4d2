using System.Globalization;
using System.Text.Json.Nodes;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Serving;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Zoo;

/// <summary>
/// Three schemas of all kinds of tables under random writes and DDL, by polling and by replication, while the server crashes and the feeds
/// restart: in the end every file equals its table, types included. LOCKSTEP_ZOO is the number of seeds, of LOCKSTEP_ZOO_ROUNDS rounds
/// each.
/// </summary>
public sealed class ZooTests
{
    private static readonly string[] Views = ["trade.expensive", "rental.film_list"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, Setting("LOCKSTEP_ZOO", 1))];

    [Theory(Timeout = 1_800_000)]
    [MemberData(nameof(Seeds))]
    public async Task Every_file_equals_its_table_in_the_end(int seed)
    {
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(await server.CreateDatabaseAsync(Cancel));
        await db.RunAsync(await File.ReadAllTextAsync(RepositoryFile.PathOf("tests/Lockstep.Postgres.Tests/Zoo/zoo.sql"), Cancel));
        foreach (var table in ZooTable.All)
            await PostgresTracking.EnableAsync(db.ConnectionString, TableName.Parse(table.Name), cancellationToken: Cancel);
        using var folder = new TempFolder();
        var random = new Random(seed);
        await using var zoo = await Served.StartAsync(db.ConnectionString, folder);
        for (var round = 0; round < Setting("LOCKSTEP_ZOO_ROUNDS", 1); round++)
        {
            ZooWriter[] writers =
            [
                .. Enumerable
                    .Range(0, 3)
                    .Select(i => new ZooWriter(db.ConnectionString, new Random((seed * 1000) + (round * 10) + i), altersTables: i == 0)),
            ];
            var writing = Task.WhenAll(writers.Select(w => Task.Run(() => w.RunAsync(60, Cancel), Cancel)));
            var crash = random.Next(1, 30);
            for (var i = 0; !writing.IsCompleted; i++)
            {
                if (i == crash)
                {
                    await server.CrashAsync(Cancel);
                    await server.StartAsync(Cancel);
                }
                else if (random.Next(40) == 0)
                {
                    await zoo.RestartAsync();
                }

                await TrySyncAsync(zoo.Files[random.Next(zoo.Files.Count)]);
            }

            await writing;
            Assert.Empty(writers.SelectMany(w => w.Wrong));
            var wrong = await Task.WhenAll(
                zoo.Files.Chunk(1 + (zoo.Files.Count / 4)).Select(files => Task.Run(() => CompareAsync(db, files), Cancel))
            );
            Assert.True(wrong.All(text => text.Length == 0), $"seed {seed}, round {round}:\n{string.Concat(wrong)}");
        }
    }

    /// <summary>Syncs files until they equal their tables; returns what is wrong with those that never do.</summary>
    private static async Task<string> CompareAsync(TestDatabase db, ZooFile[] files)
    {
        var wrong = "";
        foreach (var file in files)
        {
            var expected = await RowsAsync(db, file.Relation);
            string[] got = [];
            for (var begun = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(begun) < Eventually.Deadline; )
            {
                if (await TrySyncAsync(file) && (got = file.Read()).SequenceEqual(expected))
                    break;
            }

            if (!got.SequenceEqual(expected))
            {
                wrong +=
                    $"{file.Feed.AbsolutePath} ({got.Length} rows of {expected.Length}, {file.Resyncs} resyncs)\n  lacks "
                    + $"{Some(expected.Except(got))}\n  has {Some(got.Except(expected))}\n";
            }
        }

        return wrong;
    }

    private static string Some(IEnumerable<string> rows) =>
        string.Join("\n      ", rows.Take(3).Select(row => row[..Math.Min(row.Length, 300)]));

    private static async Task<bool> TrySyncAsync(ZooFile file)
    {
        try
        {
            await file.SyncAsync(Cancel);
            return true;
        }
        catch (LockstepException)
        {
            // The server or the feed is away.
            return false;
        }
    }

    private static async Task<string[]> RowsAsync(TestDatabase db, string relation)
    {
        await using var connection = await db.ConnectAsync();
        var bytes = await connection.QueryAsync(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND atttypid = 'bytea'::regtype AND NOT attisdropped",
            [relation],
            r => r.GetString(0),
            Cancel
        );

        await connection.ExecuteAsync("BEGIN; SELECT " + StateSql.Formats, Cancel);
        var rows = await connection.QueryAsync($"SELECT row_to_json(t)::text FROM {relation} t", [], r => r.GetString(0), Cancel);
        return [.. rows.Select(row => ZooFile.WithoutNulls(AsServed(row, bytes))).Order(StringComparer.Ordinal)];
    }

    /// <summary>Bytes are served as base64, and everything else except our own column as PostgreSQL writes it in JSON.</summary>
    private static string AsServed(string json, List<string> bytes)
    {
        var row = JsonNode.Parse(json)!.AsObject();
        row.Remove("txid");
        foreach (var name in bytes)
        {
            if (row[name]?.GetValue<string>() is { } hex)
                row[name] = Convert.ToBase64String(Convert.FromHexString(hex[2..]));
        }

        return row.ToJsonString();
    }

    private static int Setting(string name, int standard) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : standard;

    /// <summary>Everything served from the zoo, and a file for each feed.</summary>
    private sealed class Served : IAsyncDisposable
    {
        private readonly List<(Serving.SwitchedSource Source, Func<IFeedSource> Start)> _sources = [];
        private FeedServer _server = null!;

        public List<ZooFile> Files { get; } = [];

        public static async Task<Served> StartAsync(string connectionString, TempFolder folder)
        {
            var served = new Served();
            foreach (var mode in (PostgresFeedMode[])[PostgresFeedMode.Polling, PostgresFeedMode.Replication])
            {
                var relations = ZooTable.All.Select(t => t.Name).Concat(mode == PostgresFeedMode.Polling ? Views : []);
                foreach (var relation in relations)
                    served.Add(connectionString, folder, mode, relation);
            }

            served._server = await FeedServer.StartAsync(
                [.. served._sources.Select(s => s.Source)],
                new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(500) },
                cancellationToken: Cancel
            );
            served.Files.AddRange(
                served._sources.Select(s => new ZooFile(
                    new Uri(served._server.Uri, s.Source.Name),
                    s.Source.Name.Split('-')[1],
                    folder[s.Source.Name + ".db"]
                ))
            );
            return served;
        }

        public async Task RestartAsync()
        {
            foreach (var (source, start) in _sources)
                await source.ChangeAsync(start);
        }

        public async ValueTask DisposeAsync()
        {
            await _server.DisposeAsync();
            foreach (var (source, _) in _sources)
                await source.DisposeAsync();
        }

        private void Add(string connectionString, TempFolder folder, PostgresFeedMode mode, string relation)
        {
            var name = $"{mode}-{relation}";
            var options = new PostgresFeedOptions
            {
                Table = TableName.Parse(relation),
                Name = name,
                Mode = mode,
                Key = relation == "trade.expensive" ? ["product_id"] : [],
                Replication = new PostgresReplicationOptions { LogPath = folder[name + ".log"] },
                PollInterval = TimeSpan.FromMilliseconds(100),
                MaxReaders = 3,
            };
            IFeedSource Start() =>
                new LateSource(name, async token => await PostgresFeed.StartAsync(connectionString, options, cancellationToken: token));
            _sources.Add((new Serving.SwitchedSource(Start()), Start));
        }
    }
}
