using Lockstep.Engine.Dialects;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// What happens to the pages of a round: each is committed as it arrives, or all are staged until the set is complete (D1, D2). One thread
/// at a time.
/// </summary>
internal sealed class PageCommits(DialectSession session)
{
    /// <summary>Commits a page other than the last, unless all pages must arrive first.</summary>
    public async Task KeepAsync(bool isStaged, DialectRules rules, string? said, Uri? resume, CancellationToken cancellationToken)
    {
        if (isStaged)
        {
            if (session.Writer.IsWorthStaging)
                await session.Writer.FlushAsync(canStage: true, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (rules.IsAtomic)
            return;
        await session
            .Writer.KeepAsync(session.Position(said, resume?.AbsoluteUri, isUpToDate: false), cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>The set has not changed since it was last read.</summary>
    public async Task<RoundEnd> UnchangedAsync(string? tag, CancellationToken cancellationToken)
    {
        if (tag is null)
            throw session.Requests.Wrong("it answers 304 Not Modified to a request that was not conditional");
        await session.Writer.DiscardAsync(cancellationToken).ConfigureAwait(false);
        session.Context.SetCompleted();
        await session
            .Writer.CommitAsync(session.Position(null, null, isUpToDate: true) with { PaysOwed = true }, cancellationToken)
            .ConfigureAwait(false);
        return RoundEnd.UpToDate;
    }

    /// <summary>Commits what has arrived, as everything. False if it could not be applied.</summary>
    /// <param name="isStaged">Whether a whole set is staged.</param>
    /// <param name="cursor">The cursor up to which everything has arrived; null keeps the stored one.</param>
    /// <param name="isKnownWhole">Whether nothing suggests that there is more; otherwise no record missing from the set is removed.</param>
    /// <param name="entityTag">The tag of the whole set, to be kept with it; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<bool> EndAsync(
        bool isStaged,
        string? cursor,
        bool isKnownWhole,
        string? entityTag,
        CancellationToken cancellationToken
    )
    {
        var position = session.Position(cursor, null, isKnownWhole) with { Description = session.Describe(entityTag) };
        if (!isStaged)
            await session.Writer.CommitAsync(position, cancellationToken).ConfigureAwait(false);
        else if (!await EndSetAsync(position, isKnownWhole, cancellationToken).ConfigureAwait(false))
            return false;
        session.EntityTag = entityTag;
        return true;
    }

    /// <summary>Applies a staged whole set: it replaces the table, is merged, or is refused (I6).</summary>
    private async Task<bool> EndSetAsync(DialectPosition position, bool isKnownWhole, CancellationToken cancellationToken)
    {
        var ending = SnapshotEnding.Sweep;
        await session.Writer.FlushAsync(canStage: true, cancellationToken).ConfigureAwait(false);
        if ((session.Writer.HasUnreadable || !isKnownWhole) && session.IsAnotherFeed)
        {
            await session.Judge.WarnOfUnreadableAsync("but it belongs to another feed, so nothing was applied").ConfigureAwait(false);
            await session.Judge.OweAsync(refused: null, session.Writer.DiscardAsync, cancellationToken).ConfigureAwait(false);
            return false;
        }

        if (session.Writer.HasUnreadable)
        {
            ending = SnapshotEnding.MergeOnly;
            position = position with { Owed = session.Judge.OneMore() };
            await session.Judge.WarnOfUnreadableAsync("so nothing was removed from the table").ConfigureAwait(false);
        }
        else if (!isKnownWhole)
        {
            ending = SnapshotEnding.MergeOnly;
        }
        else
        {
            position = position with { PaysOwed = true };
            if (session.Dialect.IsList && !session.IsForced)
            {
                await session.Judge.RequireBelievableAsync([], session.Writer.DiscardAsync, cancellationToken).ConfigureAwait(false);
            }
        }

        if (session.IsAnotherFeed)
            ending |= SnapshotEnding.ForgetOrder;
        await session.Writer.CompleteAsync(ending, position, cancellationToken).ConfigureAwait(false);
        session.IsAnotherFeed = session.IsForced = false;
        session.RefusedPages = 0;
        session.Restart = null;
        return true;
    }
}
