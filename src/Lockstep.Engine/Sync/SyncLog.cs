using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Sync;

/// <summary>
/// What a sync logs. The ids are stable: 1 to 9 for the run, 20 and up for a <see cref="FeedEventKind"/>. Nothing here holds a secret; the
/// feed's text is passed on unchanged, so a logger that writes to a terminal must sanitise it.
/// </summary>
internal static partial class SyncLog
{
    private const int FailedId = 4;
    private const int FirstFeedEvent = 20;

    /// <summary>
    /// Whether the sync's caller also gets this entry in another form: as an event of the feed, or as the error with which the sync ends.
    /// </summary>
    public static bool IsToldOtherwise(EventId id) =>
        id.Id == FailedId || (id.Id >= FirstFeedEvent && id.Id < FirstFeedEvent + FeedEvents.Length);

    private static readonly Action<ILogger, string, Exception?>?[] FeedEvents = new Action<ILogger, string, Exception?>?[
        (int)Enum.GetValues<FeedEventKind>().Max() + 1
    ];

    [LoggerMessage(1, LogLevel.Information, "The table {Table} in {Location} begins to sync from {Feed} at cursor {Cursor}.")]
    public static partial void Opened(ILogger logger, string table, string location, string feed, string cursor);

    [LoggerMessage(2, LogLevel.Debug, "Committed up to cursor {Cursor}: {Added} added, {Updated} updated, {Deleted} deleted so far.")]
    private static partial void Committed(ILogger logger, string cursor, long added, long updated, long deleted);

    [LoggerMessage(
        3,
        LogLevel.Information,
        "The sync of {Table} ended ({Reason}) at cursor {Cursor} after {Seconds:0.000} s: {Added} added, {Updated} "
            + "updated, {Deleted} deleted."
    )]
    private static partial void Ended(
        ILogger logger,
        string table,
        SyncEndReason reason,
        string cursor,
        double seconds,
        long added,
        long updated,
        long deleted
    );

    [LoggerMessage(FailedId, LogLevel.Error, "The sync of {Table} failed at cursor {Cursor}.")]
    private static partial void Failed(ILogger logger, string table, string cursor, Exception error);

    public static void Committed(ILogger logger, SyncResult soFar) =>
        Committed(logger, soFar.Cursor.Display, soFar.Added, soFar.Updated, soFar.Deleted);

    public static void Ended(ILogger logger, SyncResult result) =>
        Ended(
            logger,
            result.Table,
            result.EndReason,
            result.Cursor.Display,
            result.Duration.TotalSeconds,
            result.Added,
            result.Updated,
            result.Deleted
        );

    public static void Failed(ILogger logger, SyncResult result, Exception error) =>
        Failed(logger, result.Table, result.Cursor.Display, error);

    public static void Happened(ILogger logger, FeedEvent happened)
    {
        if (!logger.IsEnabled(LevelOf(happened.Kind)))
            return;
        var log = FeedEvents[(int)happened.Kind] ??= LoggerMessage.Define<string>(
            LevelOf(happened.Kind),
            new EventId(FirstFeedEvent + (int)happened.Kind, happened.Kind.ToString()),
            "{Message}"
        );
        log(logger, happened.Message, null);
    }

    private static LogLevel LevelOf(FeedEventKind kind) =>
        kind switch
        {
            FeedEventKind.Heartbeat => LogLevel.Trace,
            FeedEventKind.Connect or FeedEventKind.Disconnect or FeedEventKind.InstanceName or FeedEventKind.Count => LogLevel.Debug,
            FeedEventKind.Retry or FeedEventKind.Poll or FeedEventKind.Resync => LogLevel.Information,
            _ => LogLevel.Warning,
        };
}
