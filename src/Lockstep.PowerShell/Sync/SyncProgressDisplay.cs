using System.Globalization;
using System.Management.Automation;
using EngineSyncResult = Lockstep.Engine.Sync.SyncResult;

namespace Lockstep.Sync;

/// <summary>Shows a sync's progress: records, rate, and the share done and time left if the feed states its length.</summary>
internal sealed class SyncProgressDisplay(ISyncStreams streams, string activity)
{
    private readonly int _id = Random.Shared.Next();
    private bool _shown;

    public void Show(EngineSyncResult result)
    {
        _shown = true;
        streams.Progress(
            new ProgressRecord(_id, activity, Describe(result))
            {
                PercentComplete = result.ShareDone is { } share ? (int)(share * 100) : -1,
                SecondsRemaining = result.ShareDone is > 0.01 and { } done ? (int)(result.Duration.TotalSeconds / done * (1 - done)) : -1,
            }
        );
    }

    public void End()
    {
        if (_shown)
            streams.Progress(new ProgressRecord(_id, activity, "Done") { RecordType = ProgressRecordType.Completed });
    }

    /// <summary>The progress, as text.</summary>
    public static string Describe(EngineSyncResult result) =>
        string.Create(
            CultureInfo.CurrentCulture,
            $"{result.State.Phase}: {result.Received:N0} records, {result.Rate:N0}/s, {result.Added:N0} added, "
                + $"{result.Updated:N0} updated, {result.Deleted:N0} deleted"
        )
        + (
            result.LoadedBefore > 0
                ? string.Create(CultureInfo.CurrentCulture, $", going on after {result.LoadedBefore:N0} loaded before")
                : ""
        )
        + (result.Quarantined > 0 ? string.Create(CultureInfo.CurrentCulture, $", {result.Quarantined:N0} in quarantine") : "")
        + (result.LoadStartsOver ? "; starts over if it is cut off" : "");
}
