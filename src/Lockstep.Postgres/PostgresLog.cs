using Microsoft.Extensions.Logging;

namespace Lockstep.Postgres;

/// <summary>What feeds and tables of PostgreSQL log. The ids are stable. Nothing here holds a secret (I9).</summary>
internal static partial class PostgresLog
{
    [LoggerMessage(40, LogLevel.Warning, "{Table}: {Why}; all clients must resync.")]
    public static partial void Resync(ILogger logger, TableName table, string why);

    [LoggerMessage(41, LogLevel.Warning, "{Notice}")]
    public static partial void Notice(ILogger logger, string notice);

    [LoggerMessage(
        42,
        LogLevel.Warning,
        "{Table}: the replication slot {Slot} was dropped because the server kept {Lag} MiB of its log for it, and {Bound} "
            + "MiB are allowed (MaxSlotLagBytes). A new one is being created, and all clients must resync. A transaction left "
            + "open or a feed too slow for its table is the cause."
    )]
    public static partial void SlotDropped(ILogger logger, TableName table, string slot, long lag, long bound);

    [LoggerMessage(43, LogLevel.Debug, "{Table} could not be polled; Lockstep will retry.")]
    public static partial void LookFailed(ILogger logger, TableName table, Exception error);

    [LoggerMessage(44, LogLevel.Warning, "{Loss} Lockstep retries until it can be read.")]
    public static partial void StoreLost(ILogger logger, string loss);
}
