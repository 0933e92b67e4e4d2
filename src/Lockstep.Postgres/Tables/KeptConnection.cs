using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// The connection of a caller that polls a table. A lost connection is reopened in the background, at growing intervals, so that the caller
/// can do other things; each loss is reported. One thread at a time.
/// </summary>
internal sealed class KeptConnection(PostgresTableStore store, string table, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _stop = new();
    private Task<NpgsqlConnection>? _opening;
    private NpgsqlConnection? _connection;
    private bool _isLost;
    private int _failures;

    /// <summary>Opens it for the first time; here an unreachable database is an error.</summary>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached.</exception>
    public async Task OpenAsync(CancellationToken cancellationToken) =>
        _connection = await store.OpenAsync(table, cancellationToken).ConfigureAwait(false);

    /// <summary>Polls, if there is a connection now.</summary>
    /// <param name="look">Polls; also told whether the connection is a new one since the last call.</param>
    /// <returns>The result; null while there is no connection.</returns>
    public async Task<T?> TryAsync<T>(Func<NpgsqlConnection, bool, Task<T>> look)
        where T : class
    {
        try
        {
            if (_opening is { IsCompleted: true } opened)
            {
                _opening = null;
                _connection = await opened.ConfigureAwait(false);
            }

            if (_connection is null)
                return null;
            var seen = await look(_connection, _isLost).ConfigureAwait(false);
            (_isLost, _failures) = (false, 0);
            return seen;
        }
        catch (TableStoreUnavailableException e)
        {
            if (!_isLost)
                PostgresLog.StoreLost(store.Logger, e.Message);
            _isLost = true;
            if (_connection is not null)
                await _connection.DisposeAsync().ConfigureAwait(false);
            _connection = null;
            _opening = ReopenAsync(ShortestPause * Math.Pow(2, Math.Min(_failures++, 10)));
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_opening is not null)
        {
            await ((Task)_opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_opening.IsCompletedSuccessfully)
                _connection = await _opening.ConfigureAwait(false);
        }

        if (_connection is not null)
            await _connection.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task<NpgsqlConnection> ReopenAsync(TimeSpan pause)
    {
        await Task.Delay(pause < LongestPause ? pause : LongestPause, time, _stop.Token).ConfigureAwait(false);
        return await store.OpenAsync(table, _stop.Token).ConfigureAwait(false);
    }
}
