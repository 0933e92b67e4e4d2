using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A feed through pgbouncer, which gives each transaction another connection.</summary>
public sealed class PoolerTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Values_look_the_same_through_a_pooler_whatever_the_database_is_set_to()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY, at timestamptz, lasts interval, x float8, b bytea[], price money, name text)"
        );
        var name = await items.Db.ScalarAsync("SELECT current_database()");
        await items.Db.RunAsync(
            $"""
            ALTER DATABASE {name} SET TimeZone = 'America/New_York'; ALTER DATABASE {name} SET IntervalStyle = 'postgres_verbose';
            ALTER DATABASE {name} SET DateStyle = 'German'; ALTER DATABASE {name} SET extra_float_digits = -5;
            ALTER DATABASE {name} SET bytea_output = 'escape'
            """
        );
        await items.Db.RunAsync(
            "INSERT INTO items SELECT g, '2026-01-02 03:04:05+00', '1 day 02:03:04', 0.1::float8 + 0.2, "
                + "ARRAY['\\x00ff'::bytea], 12.5, 'n' FROM generate_series(1, 20) g"
        );
        await items.ServeAsync();
        await items.CatchUpAsync();
        await using var pooler = await Pooler.StartAsync((await postgres.GetAsync(Cancel)).Port);
        await using var pooled = await PostgresFeed.StartAsync(
            pooler.ConnectionStringTo(name),
            new PostgresFeedOptions
            {
                Table = TableCase.Items,
                PollInterval = TimeSpan.FromMilliseconds(20),
                Listen = false,
            },
            cancellationToken: Cancel
        );
        var client = new Follower(pooled);
        await client.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(items.Client.Rows, client.Rows);
        Assert.Equal(items.Client.Identity, client.Identity);
        Assert.Contains("\"at\":\"2026-01-02T03:04:05\\u002B00:00\"", client.Rows["1"], StringComparison.Ordinal);
        Assert.Contains("\"lasts\":\"P1DT2H3M4S\"", client.Rows["1"], StringComparison.Ordinal);
        Assert.Contains("\"x\":0.30000000000000004", client.Rows["1"], StringComparison.Ordinal);

        await items.Db.RunAsync("UPDATE items SET at = at + lasts WHERE id <= 5; DELETE FROM items WHERE id > 15");
        await items.CatchUpAsync();
        await client.ReadAsync(_ => client.Rows.Values.SequenceEqual(items.Client.Rows.Values), Cancel);
        Assert.Equal(0, client.Resyncs);
    }

    private sealed class Pooler(Process process, string folder, int port) : IAsyncDisposable
    {
        private const string Program = "/usr/sbin/pgbouncer";

        public static async Task<Pooler> StartAsync(int server)
        {
            if (!File.Exists(Program))
                Assert.Skip($"There is no {Program}: install the package pgbouncer.");
            var tools = PostgresTools.FindOrSkip();
            var folder = Directory.CreateTempSubdirectory("lockstep-pgbouncer-").FullName;
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            listener.Stop();
            var users = Path.Combine(folder, "users");
            await File.WriteAllTextAsync(users, "\"lockstep\" \"\"\n", Cancel);
            var ini = Path.Combine(folder, "pgbouncer.ini");
            await File.WriteAllTextAsync(
                ini,
                $"""
                [databases]
                * = host=127.0.0.1 port={server} user=lockstep
                [pgbouncer]
                listen_addr = 127.0.0.1
                listen_port = {port}
                unix_socket_dir =
                auth_type = any
                auth_file = {users}
                pool_mode = transaction
                default_pool_size = 3

                """,
                Cancel
            );
            await tools.OwnAsync(folder, Cancel);
            var process = Process.Start(tools.StartOf(Program, [ini]))!;
            await Eventually.WithoutAsync<SocketException>(async () =>
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port, Cancel);
            });
            return new Pooler(process, folder, port);
        }

        public string ConnectionStringTo(string database) =>
            $"Host=127.0.0.1;Port={port};Username=lockstep;Database={database};Timeout=5;No Reset On Close=true;SSL Mode=Disable";

        public async ValueTask DisposeAsync()
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
            Directory.Delete(folder, recursive: true);
        }
    }
}
