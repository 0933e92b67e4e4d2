using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>A standby takes over: clients that were told of nothing that is lost continue, and the others start over.</summary>
public sealed class FailoverTests
{
    private static readonly TableName Items = new(null, "items");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("lockstep", false)]
    [InlineData("reader", true)]
    [InlineData("reader", false)]
    public async Task Clients_that_were_told_of_nothing_that_was_lost_go_on_where_the_history_can_be_read(string user, bool hasFunction)
    {
        await using var pair = await Pair.StartAsync(user);
        if (hasFunction)
            await pair.Primary.RunAsync(Function());
        var (canRead, sets) = user == "lockstep" || hasFunction ? (true, 1) : (false, 2);
        await pair.Primary.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 50) g");
        await pair.SyncAsync(pair.Primary);

        // Cursors are beyond the newest row.
        await pair.Primary.RunAsync("BEGIN; INSERT INTO items VALUES (1000, 'taken back'); ROLLBACK");
        await pair.Primary.RunAsync("UPDATE items SET name = 'changed' WHERE id = 7; DELETE FROM items WHERE id = 8");
        await pair.SyncAsync(pair.Primary);
        await pair.FailOverAsync(lastWords: true);
        await pair.Standby.RunAsync("UPDATE items SET name = 'after' WHERE id = 9; DELETE FROM items WHERE id = 10");
        await pair.SyncAsync(pair.Standby);
        Assert.Equal(sets, pair.WholeSets);
        Assert.Equal(!canRead, pair.Notices.Any(n => n.Contains("lockstep.timeline_history", StringComparison.Ordinal)));

        // And it continues from there under the same name.
        await pair.ServeAsync(pair.Standby);
        await pair.Standby.RunAsync("INSERT INTO items VALUES (60, 'later')");
        await pair.SyncAsync(pair.Standby);
        Assert.Equal(sets, pair.WholeSets);
    }

    [Fact]
    public async Task A_client_that_has_rows_that_were_lost_starts_over()
    {
        await using var pair = await Pair.StartAsync();
        await pair.Primary.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 50) g");
        await pair.SyncAsync(pair.Primary);
        await pair.CutAsync();
        await pair.Primary.RunAsync(
            "INSERT INTO items VALUES (100, 'lost'); DELETE FROM items WHERE id = 1; UPDATE items SET name = 'lost' WHERE id = 2"
        );
        await pair.SyncAsync(pair.Primary);
        await pair.FailOverAsync(lastWords: false);
        await pair.SyncAsync(pair.Standby);
        Assert.Equal(2, pair.WholeSets);
    }

    [Fact]
    public async Task A_client_whose_cursor_is_beyond_what_was_lost_misses_no_transaction_that_takes_a_lost_ones_number()
    {
        await using var pair = await Pair.StartAsync();
        await pair.Primary.RunAsync("INSERT INTO items VALUES (1, 'n')");
        await pair.SyncAsync(pair.Primary);
        await pair.CutAsync();

        // The client gets none of these rows, and its cursor passes them all.
        for (var i = 0; i < 30; i++)
            await pair.Primary.RunAsync("INSERT INTO other VALUES (1)");
        await pair.SyncAsync(
            pair.Primary,
            minimum: long.Parse(await pair.Primary.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"))
        );
        await pair.FailOverAsync(lastWords: false);
        await pair.Standby.RunAsync("INSERT INTO items VALUES (2, 'under a number that was given out before')");
        await pair.SyncAsync(pair.Standby);
    }

    [Fact]
    public async Task An_old_primary_that_comes_back_does_not_take_clients_of_the_new_one_for_its_own()
    {
        await using var pair = await Pair.StartAsync();
        await pair.Primary.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 50) g");
        await pair.SyncAsync(pair.Primary);
        await pair.FailOverAsync(lastWords: true);
        await pair.Standby.RunAsync("DELETE FROM items WHERE id < 10");
        await pair.SyncAsync(pair.Standby);
        await pair.ReturnAsync();
        await pair.Primary.RunAsync("INSERT INTO items VALUES (200, 'of the old one')");
        await pair.SyncAsync(pair.Primary);
        Assert.Equal(2, pair.WholeSets);
    }

    /// <summary>The function of docs/OPERATING.md.</summary>
    private static string Function()
    {
        var text = File.ReadAllText(RepositoryFile.PathOf("docs/OPERATING.md"));
        var start = text.IndexOf("CREATE FUNCTION lockstep.timeline_history", StringComparison.Ordinal);
        return text[start..text.IndexOf("```", start, StringComparison.Ordinal)];
    }

    [Fact]
    public async Task While_the_history_cannot_be_read_clients_wait_and_do_not_start_over()
    {
        await using var away = Npgsql.NpgsqlDataSource.Create($"Host=127.0.0.1;Port={PostgresServer.FreePort()};Username=nobody");
        var history = new TimelineHistory(away, new PostgresFeedOptions { Table = Items }, TimeProvider.System);
        for (var time = 1; time <= 2; time++)
            await Assert.ThrowsAsync<FeedUnavailableException>(() => history.HasAsync(new FeedMark(1, 5), timeline: 2, Cancel));
    }

    [Fact]
    public void The_history_says_where_each_timeline_ended()
    {
        var ends = TimelineHistory.Parse("1\t0/3000000\tno recovery target specified\n\n2\t1/A\tbefore 2026-01-01\n");
        Assert.Equal([(1, 0x3000000), (2, 0x10000000AL)], ends.Select(e => (e.Key, e.Value)));
    }

    /// <summary>A primary and its standby, one of which is served, and a file that is synced over HTTP.</summary>
    private sealed class Pair : IAsyncDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly List<string> _notices = [];
        private readonly PostgresServer _primary;
        private readonly PostgresServer _standby;
        private readonly string _user;
        private SwitchedSource _source = null!;
        private FeedServer _server = null!;
        private SyncedFile _file = null!;

        private Pair(PostgresServer primary, PostgresServer standby, string user)
        {
            (_primary, _standby, _user) = (primary, standby, user);
            Primary = TestDatabase.Open(primary.ConnectionString);
            Standby = TestDatabase.Open(standby.ConnectionString);
        }

        public TestDatabase Primary { get; }

        public TestDatabase Standby { get; }

        public int WholeSets => _source.WholeSets;

        public IReadOnlyList<string> Notices
        {
            get
            {
                lock (_notices)
                    return [.. _notices];
            }
        }

        public static async Task<Pair> StartAsync(string user = "lockstep")
        {
            var primary = await PostgresServer.StartAsync(Cancel);
            await using (var db = TestDatabase.Open(primary.ConnectionString))
            {
                await db.RunAsync(
                    "CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE other (id int); CREATE ROLE reader LOGIN"
                );
                await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
                await db.RunAsync(
                    "GRANT SELECT ON ALL TABLES IN SCHEMA public, lockstep TO reader; GRANT USAGE ON SCHEMA lockstep TO "
                        + "reader; GRANT pg_monitor TO reader"
                );
            }

            var pair = new Pair(primary, await primary.StartStandbyAsync(Cancel), user);
            pair._source = new SwitchedSource(await pair.FeedAsync(pair.Primary));
            pair._server = await FeedServer.StartAsync(
                [pair._source],
                new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
                cancellationToken: Cancel
            );
            pair._file = new SyncedFile(new Uri(pair._server.Uri, "items"), pair._folder["items.db"]);
            return pair;
        }

        /// <summary>Syncs until the file equals the table, and its cursor has come far enough.</summary>
        public async Task SyncAsync(TestDatabase db, long minimum = 0)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            stop.CancelAfter(Eventually.Deadline);
            try
            {
                do await _file.SyncUntilAsync(await db.RowsAsync("items"), stop.Token);
                while (_file.Cursor < minimum);
            }
            catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
            {
                Assert.Equal(await db.RowsAsync("items"), _file.Read());
                Assert.InRange(_file.Cursor, minimum, long.MaxValue);
            }
        }

        /// <summary>From here on the standby receives nothing.</summary>
        public async Task CutAsync()
        {
            await Standby.RunAsync("ALTER SYSTEM SET primary_conninfo = ''");
            await Standby.RunAsync("SELECT pg_reload_conf()");
            await Eventually.TrueAsync(async () => await Standby.ScalarAsync("SELECT count(*) FROM pg_stat_wal_receiver") == "0");
        }

        /// <summary>The standby takes over, with or without everything that the primary wrote.</summary>
        public async Task FailOverAsync(bool lastWords)
        {
            if (lastWords)
            {
                var end = await Primary.ScalarAsync("SELECT pg_current_wal_insert_lsn()");
                await Eventually.TrueAsync(async () => await Standby.ScalarAsync($"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "True");
            }

            await _primary.CrashAsync(Cancel);
            await _standby.PromoteAsync(Cancel);
            await ServeAsync(Standby);
        }

        /// <summary>The old primary returns, and is served.</summary>
        public async Task ReturnAsync()
        {
            await _primary.StartAsync(Cancel);
            await ServeAsync(Primary);
        }

        /// <summary>Serves one of the two at the same address.</summary>
        public async Task ServeAsync(TestDatabase db) => await _source.ChangeAsync(await FeedAsync(db));

        public async ValueTask DisposeAsync()
        {
            await _server.DisposeAsync();
            await _source.DisposeAsync();
            await Primary.DisposeAsync();
            await Standby.DisposeAsync();
            await _standby.DisposeAsync();
            await _primary.DisposeAsync();
            _folder.Dispose();
        }

        private Task<PostgresFeed> FeedAsync(TestDatabase db) =>
            PostgresFeed.StartAsync(
                db.ConnectionString.Replace("Username=lockstep", $"Username={_user}", StringComparison.Ordinal),
                new PostgresFeedOptions
                {
                    Table = Items,
                    PollInterval = TimeSpan.FromMilliseconds(20),
                    Logger = CallbackLogger.OfWarnings(text =>
                    {
                        lock (_notices)
                            _notices.Add(text);
                    }),
                },
                cancellationToken: Cancel
            );
    }
}
