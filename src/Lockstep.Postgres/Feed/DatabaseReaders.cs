using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>The connections of a feed, of which clients may use a limited number at once.</summary>
internal sealed class DatabaseReaders(string connectionString, PostgresFeedOptions options, TimeProvider time, CancellationToken stop)
    : IAsyncDisposable
{
    /// <summary>
    /// What a feed itself may use besides: one to look, one to make JSON of what the stream brings, one to wait for the server's disk.
    /// </summary>
    private const int OwnConnections = 3;

    private readonly SemaphoreSlim _readers = new(options.MaxReaders);

    public NpgsqlDataSource Source { get; } = PostgresConnection.CreateSource(connectionString, options.MaxReaders + OwnConnections);

    /// <summary>Runs a read on a connection, one of a limited number, and again while the database is away and patience lasts.</summary>
    /// <param name="read">The read; may run several times.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task<T> ReadAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> read, CancellationToken cancellationToken) =>
        ReadAsync(read, () => true, cancellationToken);

    /// <inheritdoc cref="ReadAsync{T}(Func{NpgsqlConnection, CancellationToken, Task{T}}, CancellationToken)"/>
    public async Task<T> ReadAsync<T>(
        Func<NpgsqlConnection, CancellationToken, Task<T>> read,
        Func<bool> mayRepeat,
        CancellationToken cancellationToken
    )
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
        var started = time.GetTimestamp();
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay *= 2)
        {
            try
            {
                await _readers.WaitAsync(either.Token).ConfigureAwait(false);
                try
                {
                    var connection = await Source.OpenConnectionAsync(either.Token).ConfigureAwait(false);
                    await using (connection.ConfigureAwait(false))
                        return await read(connection, either.Token).ConfigureAwait(false);
                }
                finally
                {
                    _readers.Release();
                }
            }
            catch (Exception e) when (e is not OperationCanceledException and not FeedServingException)
            {
                if (!PostgresErrors.IsPassing(e) || !mayRepeat() || time.GetElapsedTime(started) + delay > options.Patience)
                    throw PostgresErrors.Translate(e, options.Table.ToString());
            }

            await Task.Delay(delay, time, either.Token).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync().ConfigureAwait(false);
        _readers.Dispose();
    }
}
