using System.Diagnostics;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Traces of syncs: <c>lockstep.sync</c> for a run and, within it, <c>lockstep.connection</c> for each answer of the feed, from the request
/// to the last byte read. Costs nothing while nobody is listening.
/// </summary>
internal static class SyncActivity
{
    private static readonly ActivitySource Source = new(TableSync.ActivitySourceName);

    public static Activity? Run(FeedUri feed) => Source.StartActivity("lockstep.sync")?.SetTag("lockstep.feed", feed.Display);

    public static Activity? Connection(FeedUri feed, string cursor) =>
        Source
            .StartActivity("lockstep.connection", ActivityKind.Client)
            ?.SetTag("lockstep.feed", feed.Display)
            .SetTag("lockstep.cursor", cursor);

    public static void Ended(Activity? run, SyncResult result, Exception? error)
    {
        if (run is null)
            return;
        run.SetTag("lockstep.table", result.Table)
            .SetTag("lockstep.cursor", result.Cursor.Display)
            .SetTag("lockstep.end_reason", result.EndReason.ToString())
            .SetTag("lockstep.received", result.Received)
            .SetTag("lockstep.added", result.Added)
            .SetTag("lockstep.updated", result.Updated)
            .SetTag("lockstep.deleted", result.Deleted);
        if (error is not null)
            run.SetStatus(ActivityStatusCode.Error, error.Message);
    }
}
