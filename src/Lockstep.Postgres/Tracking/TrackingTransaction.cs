using System.Globalization;
using Npgsql;

namespace Lockstep.Postgres.Tracking;

/// <summary>
/// Changes a table's tracking in one transaction. It waits only briefly for the table's lock and then retries, because everyone who wants
/// the table, readers included, queues behind a waiting lock request.
/// </summary>
internal static class TrackingTransaction
{
    /// <exception cref="PostgresTableException">The table is missing, cannot be tracked, or is locked by others.</exception>
    public static async Task<T> RunAsync<T>(
        string connectionString,
        TableName table,
        TrackingOptions options,
        bool run,
        Func<NpgsqlConnection, CancellationToken, Task<T>> work,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.LockTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Attempts, 1);
        var source = PostgresConnection.CreateSource(connectionString, 1);
        await using (source.ConfigureAwait(false))
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    return await TryAsync(source, options.LockTimeout, run, work, cancellationToken).ConfigureAwait(false);
                }
                catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
                {
                    if (attempt == options.Attempts)
                        throw Locked(table, options, e);
                }
                catch (Exception e) when (PostgresErrors.IsOfDriver(e))
                {
                    throw PostgresErrors.Translate(e, table.ToString(), source);
                }

                await Task.Delay(options.LockTimeout / 2, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task<T> TryAsync<T>(
        NpgsqlDataSource source,
        TimeSpan lockTimeout,
        bool run,
        Func<NpgsqlConnection, CancellationToken, Task<T>> work,
        CancellationToken cancellationToken
    )
    {
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            PostgresVersion.Check(connection);
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var limit = Math.Max(1, (long)lockTimeout.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
                await connection.ExecuteAsync($"SET LOCAL lock_timeout = {limit}", cancellationToken).ConfigureAwait(false);
                var result = await work(connection, cancellationToken).ConfigureAwait(false);
                if (run)
                    await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                return result;
            }
        }
    }

    private static PostgresTableException Locked(TableName table, TrackingOptions options, PostgresException error) =>
        new(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{table} was locked by others on each of {options.Attempts} attempts, and nothing was changed ({error.SqlState})."
            ),
            "An open transaction is using the table: pg_locks and pg_stat_activity show which. Try again when it has ended."
        );
}
