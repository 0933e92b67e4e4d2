using Lockstep.Engine;
using Lockstep.Postgres;
using Lockstep.Postgres.Tracking;

namespace Lockstep.Cli.Serving;

/// <summary>
/// Once an hour, deletes old tombstones, if the configuration limits their age, and what tracking left of tables that were dropped.
/// </summary>
internal sealed class TombstoneKeeper(ServeConfig config, ServeLog log) : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;
    private long? _ran;

    /// <summary>Starts a round if one is due; does not wait for it.</summary>
    public Task KeepAsync(CancellationToken cancellationToken)
    {
        if (!_running.IsCompleted || (_ran is { } ran && TimeProvider.System.GetElapsedTime(ran) < Interval))
            return Task.CompletedTask;
        _ran = TimeProvider.System.GetTimestamp();
        _running = Task.Run(() => RunAsync(_stop.Token), cancellationToken);
        return Task.CompletedTask;
    }

    public void Dispose() => _stop.Cancel();

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var database in config.Databases)
        {
            if (database.Mode == PostgresFeedMode.Replication)
                continue;
            try
            {
                var connection = database.ReadConnection();
                foreach (var name in await PostgresTracking.PruneAsync(connection, cancellationToken).ConfigureAwait(false))
                    log.Say($"What tracking left of the dropped table {name} is removed.");
                if (database.TombstoneRetentionDays is not { } days)
                    continue;
                var tables = await PostgresCatalog
                    .FindAsync(connection, database.Tables, database.Exclude, database.Mode, cancellationToken)
                    .ConfigureAwait(false);
                foreach (var table in tables.Concat(database.Feeds.Select(feed => TableName.Parse(feed.Table))))
                    await ClearAsync(connection, table, TimeSpan.FromDays(days), cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is LockstepException or ArgumentException or FormatException)
            {
                log.Warn("tombstones", e);
            }
        }
    }

    private async Task ClearAsync(string connection, TableName table, TimeSpan age, CancellationToken cancellationToken)
    {
        try
        {
            await PostgresTracking.ClearTombstonesAsync(connection, table, age, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        // A table that has gone or is locked must not hold up the others.
        catch (PostgresTableException e)
        {
            log.Warn("tombstones", e);
        }
    }
}
