using System.Globalization;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>What would happen to a first load if it were cut off.</summary>
internal enum LoadOutlook
{
    /// <summary>No first load is in progress.</summary>
    None = 0,

    /// <summary>It resumes near where it was.</summary>
    GoesOn = 1,

    /// <summary>It starts over.</summary>
    StartsOver = 2,
}

/// <summary>
/// Reports, once per body, whether a table's first load resumes where it was cut off, or would start over: before its first record, or as
/// soon as a record out of order shows that. Small loads are not worth reporting. One thread at a time.
/// </summary>
internal sealed class LoadNews(SyncContext context, BodySource source, CursorTracker tracker)
{
    /// <summary>A load of this many bytes or records takes only a moment.</summary>
    private const long SmallBytes = 8 * 1024 * 1024;
    private const long SmallRecords = 20_000;

    private bool _hasTold;

    /// <summary>Whether there is anything to report about this body.</summary>
    public bool IsWorthAsking => source.IsFirstLoad || (source.LoadedBefore > 0 && !_hasTold);

    private bool IsSmall => source.Length <= SmallBytes || source.ExpectedRecords <= SmallRecords;

    /// <summary>Reports what is new. Called when records have been parsed and not yet committed.</summary>
    /// <param name="hasPage">Whether the feed has said where the load resumes.</param>
    public async Task TellAsync(bool hasPage)
    {
        if (context.Parser.Shape is not { } shape)
            return;
        if (!_hasTold && source.LoadedBefore is { } before and > 0)
        {
            context.LoadedBefore = before;
            await SayAsync(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"The first load resumes where it was cut off: {before} records are already there."
                    )
                )
                .ConfigureAwait(false);
        }

        _hasTold = true;
        if (!source.IsFirstLoad)
            return;
        var reason =
            hasPage ? null
            : tracker.WasOutOfOrder ? "the records are not in the order of their order field"
            : source.IsRedirected ? "its snapshot is one body, and its server does not support ranges"
            : shape.Dialect == Dialect.Transaction ? "the feed does not say how to resume in the middle of its whole set"
            : null;
        var outlook = reason is null ? LoadOutlook.GoesOn : LoadOutlook.StartsOver;
        if (reason is not null && context.Load != outlook && !IsSmall)
            await SayAsync($"If the first load is cut off, it starts over: {reason}.").ConfigureAwait(false);
        context.Load = outlook;
    }

    /// <summary>The load or this body is over.</summary>
    public void End() => context.Load = LoadOutlook.None;

    private Task SayAsync(string message) => context.PostEventAsync(FeedEventKind.Load, message, null);
}
