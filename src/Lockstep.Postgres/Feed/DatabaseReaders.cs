using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// A feed's reads, over the connections it shares with the database's other feeds; only a limited number of clients may read at once.
/// </summary>
internal sealed class DatabaseReaders(string connectionString, PostgresFeedOptions options, TimeProvider time, CancellationToken stop)
    : IAsyncDisposable
{
    public DatabasePool Pool { get; } = DatabasePool.Join(connectionString, options.MaxReaders, time);

    public NpgsqlDataSource Source => Pool.Source;

    /// <summary>Runs a short read once, ahead of waiting clients.</summary>
    public async Task<T> LookAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> look, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
        return await Pool.InTurnAsync(Pool.Looks, look, either.Token).ConfigureAwait(false);
    }

    /// <summary>
    /// Runs a read on one of a limited number of connections, and retries it while the database is unreachable and patience lasts.
    /// </summary>
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
                return await Pool.InTurnAsync(Pool.Readers, read, either.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException and not FeedServingException)
            {
                if (!PostgresErrors.IsPassing(e) || !mayRepeat() || time.GetElapsedTime(started) + delay > options.Patience)
                    throw PostgresErrors.Translate(e, options.Table.ToString(), Source);
            }

            await Task.Delay(delay, time, either.Token).ConfigureAwait(false);
        }
    }

    public ValueTask DisposeAsync() => Pool.DisposeAsync();
}
