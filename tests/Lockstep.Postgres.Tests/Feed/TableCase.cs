using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A table <c>items</c> served by polling, a client that follows it, and what the operator was told.</summary>
internal sealed class TableCase : IAsyncDisposable
{
    public static readonly TableName Items = new(null, "items");

    private readonly List<string> _notices = [];
    private PostgresFeed? _feed;
    private Follower? _client;

    private TableCase(TestDatabase db) => Db = db;

    public TestDatabase Db { get; }

    public PostgresFeed Feed => _feed!;

    public Follower Client => _client!;

    public IReadOnlyList<string> Notices
    {
        get
        {
            lock (_notices)
                return [.. _notices];
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Creates the database.</summary>
    public static async Task<TableCase> MakeAsync(SharedPostgres postgres, string sql, bool track = true, TrackingOptions? options = null)
    {
        var made = new TableCase(await TestDatabase.CreateAsync(postgres));
        await made.Db.RunAsync(sql);
        if (track)
            await PostgresTracking.EnableAsync(made.Db.ConnectionString, Items, options, Cancel);
        return made;
    }

    /// <summary>Starts to serve, or restarts, with another connection string if one is given.</summary>
    public async Task ServeAsync(string key = "id", string? connectionString = null, IReadOnlyList<string>? named = null)
    {
        if (_feed is not null)
            await _feed.DisposeAsync();
        var from = _feed;
        _feed = await PostgresFeed.StartAsync(
            connectionString ?? Db.ConnectionString,
            new PostgresFeedOptions
            {
                Table = Items,
                Key = named ?? [],
                PollInterval = TimeSpan.FromMilliseconds(20),
                Logger = CallbackLogger.OfWarnings(text =>
                {
                    lock (_notices)
                        _notices.Add(text);
                }),
            },
            cancellationToken: Cancel
        );
        if (from is null)
            _client = new Follower(_feed, key);
        else
            _client!.Source = _feed;
    }

    /// <summary>Brings the client up to what is committed now.</summary>
    public async Task CatchUpAsync()
    {
        var horizon = long.Parse(await Db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"), CultureInfo.InvariantCulture);
        await Eventually.WithoutAsync<FeedUnavailableException>(() => Client.CatchUpAsync(horizon, Cancel));
    }

    public async ValueTask DisposeAsync()
    {
        if (_feed is not null)
            await _feed.DisposeAsync();
        await Db.DisposeAsync();
    }
}
