using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Errors;
using EngineFeedEvent = Lockstep.Engine.Sync.FeedEvent;
using EngineSyncResult = Lockstep.Engine.Sync.SyncResult;
using EngineTableInfo = Lockstep.Engine.Tables.TableInfo;

namespace Lockstep;

/// <summary>
/// Maps the engine's values to those that users see. PowerShell inspects public types before the engine can be loaded, so these are
/// separate types; their enumerations have the engine's values.
/// </summary>
internal static class EngineMapping
{
    public static SyncResult ToModel(this EngineSyncResult result) =>
        new()
        {
            Table = result.Table,
            Path = result.Location,
            Uri = new Uri(result.Feed),
            Cursor = result.HasCursor ? result.Cursor.ToString() : "",
            Received = result.Received,
            Added = result.Added,
            Updated = result.Updated,
            Deleted = result.Deleted,
            Unchanged = result.Unchanged,
            OutOfOrder = result.OutOfOrder,
            IsSetOwed = result.IsSetOwed,
            Malformed = result.Malformed,
            Quarantined = result.Quarantined,
            Heartbeats = result.Heartbeats,
            Bytes = result.Bytes,
            Duration = result.Duration,
            Rate = result.Rate,
            State = (SyncState)result.State.Phase,
            Attempt = result.State.Attempt,
            SinceLastByte = result.SinceLastByte,
            Lag = LagOf(result.NewestRecord),
            EndReason = (EndReason)result.EndReason,
            IsComplete = result.IsComplete,
            Outcome = (SyncOutcome)result.Outcome,
        };

    public static TableInfo ToModel(this EngineTableInfo table, bool isSession)
    {
        var health = SyncHealth.Find(table.Location, table.Name);
        return new()
        {
            LastError = health?.LastError,
            LastContact = health?.LastContact?.LocalDateTime,
            LastChange = health?.LastChange?.LocalDateTime,
            Sync = RunningSyncs.Find(table.Location, table.Name)?.ToModel(),
            Lag = LagOf(table.NewestRecord),
            Name = table.Name,
            Path = table.Location,
            IsSession = isSession,
            Uri = table.Feed is null ? null : new Uri(table.Feed),
            Dialect = table.DialectName ?? $"{(FeedDialect)table.Dialect}",
            DialectName = table.DialectName,
            KeyProperty = [.. table.KeyFields],
            Index = [.. table.Indexes],
            OrderBy = table.OrderField,
            Fields = [.. table.Fields],
            Cursor = table.HasCursor ? table.Cursor.ToString() : "",
            Rows = table.Rows,
            Tombstones = table.Tombstones,
            Sequence = table.Sequence,
            IsLoadUnfinished = table.IsLoadUnfinished,
            IsSetOwed = table.IsSetOwed,
            SweepLimit = table.SweepLimit,
            Quarantined = table.Quarantined,
            Size = table.Size,
            LastSync = table.LastSync?.LocalDateTime,
            Writer = table.Writer,
        };
    }

    /// <summary>Never negative: the feed's clock may be ahead of ours.</summary>
    private static TimeSpan? LagOf(DateTimeOffset? newest) =>
        newest is not { } at ? null
        : DateTimeOffset.UtcNow is var now && now > at ? now - at
        : TimeSpan.Zero;

    public static FeedEvent ToModel(this EngineFeedEvent happened) =>
        new((FeedEventKind)happened.Kind, happened.At.LocalDateTime, happened.Render(CmdletWords.Say));

    /// <summary>The key as PowerShell shows it: a single value, or an array if there are several fields.</summary>
    public static object ToModel(this RecordKey key)
    {
        object[] parts = [.. key.Parts.Select(part => part is OrderValue number ? number.ToString() : part)];
        return parts is [var only] ? only : parts;
    }
}
