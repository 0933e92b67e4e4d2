using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>One server with logical replication for all tests of a class; each has a database and a folder of its own.</summary>
public sealed class LogicalPostgres : IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private PostgresServer? _server;

    internal static readonly TableName Items = new(null, "items");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    internal static Task<PostgresServer> StartServerAsync(params string[] settings) =>
        PostgresServer.StartAsync(
            Cancel,
            ["wal_level=logical", "max_prepared_transactions=20", "max_replication_slots=100", "max_wal_senders=100", .. settings]
        );

    internal async Task<TestDatabase> CreateAsync(string table = "CREATE TABLE items (id int PRIMARY KEY, name text)")
    {
        await _starting.WaitAsync(Cancel);
        try
        {
            _server ??= await StartServerAsync();
        }
        finally
        {
            _starting.Release();
        }

        var db = TestDatabase.Open(await _server.CreateDatabaseAsync(Cancel));
        await db.RunAsync(table);
        return db;
    }

    /// <summary>Has the server crash and recover.</summary>
    internal async Task CrashAsync()
    {
        await _server!.CrashAsync(Cancel);
        await _server.StartAsync(Cancel);
    }

    internal static PostgresFeedOptions Options(
        TempFolder folder,
        Func<PostgresReplicationOptions, PostgresReplicationOptions>? change = null
    )
    {
        var replication = new PostgresReplicationOptions { LogPath = folder["items.log"] };
        return new PostgresFeedOptions
        {
            Table = Items,
            Mode = PostgresFeedMode.Replication,
            PollInterval = TimeSpan.FromMilliseconds(50),
            Replication = change is null ? replication : change(replication),
        };
    }

    /// <summary>The cursor of a client that has everything committed so far.</summary>
    internal static async Task<long> EndAsync(TestDatabase db) =>
        long.Parse(
            await db.ScalarAsync("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"),
            System.Globalization.CultureInfo.InvariantCulture
        );

    /// <summary>Brings a client up to what is committed now, however often it must ask the feed.</summary>
    internal static async Task CatchUpAsync(Follower follower, TestDatabase db, CancellationToken cancellationToken)
    {
        var end = await EndAsync(db);
        await Eventually.WithoutAsync<FeedUnavailableException>(() => follower.CatchUpAsync(end, cancellationToken));
    }

    /// <summary>Drops the slots of a database; a server process that streamed from one releases it a moment after its client.</summary>
    internal static async Task DropSlotsAsync(TestDatabase db)
    {
        const string Slots = "FROM pg_replication_slots WHERE database = current_database()";
        await Eventually.TrueAsync(async () => await db.ScalarAsync($"SELECT count(*) {Slots} AND active") == "0");
        await db.RunAsync($"SELECT pg_drop_replication_slot(slot_name) {Slots}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _starting.Dispose();
    }
}
