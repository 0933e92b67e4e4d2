using Lockstep.Bases;
using Lockstep.Commands;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Errors;
using Lockstep.Tables;

namespace Lockstep.Sync;

/// <summary>What the parameters of <c>Sync-LockstepTable</c> say of a sync, for the engine.</summary>
internal static class SyncSettings
{
    /// <param name="cmdlet">The cmdlet.</param>
    /// <param name="feed">How the feed is reached.</param>
    /// <param name="destination">Where the table is.</param>
    /// <param name="log">As for <see cref="SyncOptions.LoggedTo"/>; null for nobody.</param>
    /// <exception cref="Engine.InvalidOptionException">A parameter cannot be as it is.</exception>
    public static SyncOptions Of(
        SyncLockstepTableCommand cmdlet,
        FeedOptions feed,
        TableDestination destination,
        Action<bool, string>? log = null
    )
    {
        var dialect = DialectSetting.Of(cmdlet.Dialect, cmdlet.SessionState.Path);
        var options = new SyncOptions
        {
            Feed = feed,
            Store = destination.GetStore(),
            TableName = destination.Name,
            Dialect = dialect.Own,
            Foreign = dialect.Foreign,
            PollInterval = cmdlet.IntervalSec,
            OrderBy = NullIfEmpty(cmdlet.OrderBy),
            KeyFields = FeedSettings.Named(cmdlet.KeyProperty) is { Length: > 0 } keys ? keys : null,
            Since = NullIfEmpty(cmdlet.Since),
            Follow = cmdlet.Follow,
            FollowFor = cmdlet.FollowFor,
            Settle = TimeSpan.FromSeconds(cmdlet.SettleSec),
            MaximumRetryCount = cmdlet.MaximumRetryCount,
            RetryInterval = TimeSpan.FromSeconds(cmdlet.RetryIntervalSec),
            Resync = cmdlet.Resync,
            Rebind = cmdlet.Rebind,
            Force = cmdlet.Force,
            SweepLimit = cmdlet.SweepLimit,
            Lookback = cmdlet.Lookback,
            MaximumRecordSize = cmdlet.MaximumRecordSize,
            AsksForToken = cmdlet.TokenProvider is not null,
            MalformedRecord = (MalformedRecordPolicy)cmdlet.MalformedRecord,
            QuarantineLimit = cmdlet.QuarantineLimit,
            WaitForWriter = cmdlet.Wait,
            WantsChanges = cmdlet.PassThru || cmdlet.EveryChange,
            EveryVersion = cmdlet.EveryChange,
            WantsRecords = cmdlet.Callback is not null,
            Transforms = cmdlet.Transform is not null,
            LoggedTo = log ?? ((_, _) => { }),
        };
        options.Validate(CmdletWords.Say);
        return options;
    }

    /// <summary>A feed that comes from a CSV file has empty texts where nothing is said.</summary>
    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
