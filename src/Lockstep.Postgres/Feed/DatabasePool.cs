using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// A process's connections to one database, shared by all feeds that read it, so that their number does not grow with the number of tables.
/// Feeds join and leave; the last one to leave closes it. Thread-safe.
/// </summary>
internal sealed class DatabasePool : IAsyncDisposable
{
    /// <summary>How many polls may run at once. They are short, so more would gain little.</summary>
    private const int QuickLooks = 2;

    /// <summary>
    /// The other connections besides polls and readers: a slow poll, one that waits for the server's disk, one that listens, and those of
    /// replication feeds.
    /// </summary>
    private const int OtherConnections = 61;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<(string ConnectionString, int Readers, TimeProvider Time), DatabasePool> Pools = [];

    private readonly (string, int, TimeProvider) _key;
    private int _feeds;

    private DatabasePool(string connectionString, int readers, TimeProvider time)
    {
        _key = (connectionString, readers, time);
        Source = PostgresConnection.CreateSource(connectionString, readers + OtherConnections, isShared: true);
        Readers = new SemaphoreSlim(readers);
        Flush = new FlushGate(Source, time);
        Commits = new CommitWatch(this, time);
        Wakes = new WakeListener(Source, time);
    }

    /// <summary>All connections. Code that opens one without taking a turn holds at most one.</summary>
    public NpgsqlDataSource Source { get; }

    /// <summary>Turns for clients that read rows.</summary>
    public SemaphoreSlim Readers { get; }

    /// <summary>Turns for polls known to be short, in the order of their requests.</summary>
    public SemaphoreSlim Looks { get; } = new(QuickLooks);

    /// <summary>The turn for slow polls, one at a time, so that they do not hold up the others.</summary>
    public SemaphoreSlim LongLooks { get; } = new(1);

    public FlushGate Flush { get; }

    public CommitWatch Commits { get; }

    public WakeListener Wakes { get; }

    /// <summary>The pool of a database; each feed that joined disposes it.</summary>
    /// <param name="connectionString">For Npgsql.</param>
    /// <param name="readers">How many clients may read at once. Feeds with different numbers have different pools.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    public static DatabasePool Join(string connectionString, int readers, TimeProvider time)
    {
        lock (Gate)
        {
            var key = (connectionString, readers, time);
            if (!Pools.TryGetValue(key, out var pool))
                Pools.Add(key, pool = new DatabasePool(connectionString, readers, time));
            pool._feeds++;
            return pool;
        }
    }

    /// <summary>Runs a read when it is its turn.</summary>
    public async Task<T> InTurnAsync<T>(
        SemaphoreSlim turns,
        Func<NpgsqlConnection, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken
    )
    {
        await turns.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var connection = await Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
                return await read(connection, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            turns.Release();
        }
    }

    /// <summary>A feed leaves.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (Gate)
        {
            if (--_feeds > 0)
                return;
            Pools.Remove(_key);
        }

        await Wakes.DisposeAsync().ConfigureAwait(false);
        await Source.DisposeAsync().ConfigureAwait(false);
        Flush.Dispose();
        Commits.Dispose();
        Readers.Dispose();
        Looks.Dispose();
        LongLooks.Dispose();
    }
}
