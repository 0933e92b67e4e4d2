using System.Globalization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Whether to trust a whole set that would remove much of the table, and what is owed if it is not applied as it is (I6); the same for
/// Lockstep's own dialects and those of other servers. Runs on the reading half's thread.
/// </summary>
internal sealed class SweepJudge(SyncContext context, FeedUri feed)
{
    /// <summary>The time until the owed whole set is due; null if none is owed, or it is due already.</summary>
    public TimeSpan? UntilDue => context.Target.State.Owed?.Until(context.Time.GetUtcNow()) is { Ticks: > 0 } early ? early : null;

    /// <summary>
    /// Whether this feed's whole set was not trusted, and is not to be fetched again yet. Another query means another set.
    /// </summary>
    public bool IsRefused =>
        UntilDue is not null
        && context.Target.State.Owed?.Refused is { } refused
        && refused.Feed is var asked
        && (asked is null || asked == Asked);

    /// <summary>What the set was requested with: the feed's address, and a digest of any separate query.</summary>
    private string Asked => context.Options.Feed is { Query.Count: > 0 } query ? $"{feed.Display}#{query.Asked}" : feed.Display;

    /// <summary>Whether the owed whole set is due.</summary>
    public bool IsSetDue => context.Target.State.Owed is not null && UntilDue is null;

    /// <summary>Whether the caller vouches for a set: by force, or because the table was found to differ from the feed.</summary>
    public bool IsOverruled => context.Options.Force || context.Options.Repair;

    /// <summary>
    /// A whole set that was not trusted is not fetched again before it is due, unless explicitly requested. Meanwhile a follower polls.
    /// </summary>
    /// <exception cref="SweepRefusedException">It is not due yet.</exception>
    public void RequireDue()
    {
        var options = context.Options;
        if (
            context.StopsWhenCaughtUp
            && !options.Force
            && !options.Resync
            && IsRefused
            && context.Target.State.Owed is { Refused: { } refused } owed
        )
        {
            throw new SweepRefusedException(feed, refused.Lost, refused.Rows, owed.At, owed.Due);
        }
    }

    /// <summary>
    /// The end of a set that nothing vouches for may be that of a server that gave up, or a wrong answer; on that evidence alone, a set
    /// that would remove most of a table is not trusted.
    /// </summary>
    /// <param name="kept">Keys of malformed records, which are not removed.</param>
    /// <param name="discard">Discards the set.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SweepRefusedException">It is not trusted, and owed.</exception>
    public async Task RequireBelievableAsync(
        IReadOnlyCollection<byte[]> kept,
        Func<CancellationToken, Task> discard,
        CancellationToken cancellationToken
    )
    {
        var state = context.Target.State;
        if (IsOverruled)
            return;
        var absent = await CountAbsentAsync(kept, cancellationToken).ConfigureAwait(false);
        (var lost, var examples) = absent;
        if (SweepGuard.Allows(lost, state.Rows, state.SweepLimit, absent.IsEmpty))
            return;
        var owed = await OweAsync(new RefusedSweep(lost, state.Rows) { Feed = Asked }, discard, cancellationToken).ConfigureAwait(false);
        var isOther = TableBinding.IsOfAnotherFeed(state, feed) ? state.Feed : null;
        throw new SweepRefusedException(feed, lost, state.Rows, examples, owed.Due, isOther);
    }

    /// <summary>The records of the table that the staged set lacks.</summary>
    /// <param name="kept">Keys of malformed records, which do not count as missing.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AbsentRecords> CountAbsentAsync(IReadOnlyCollection<byte[]> kept, CancellationToken cancellationToken)
    {
        var count = new CommitJob(CommitKind.CountAbsent, new TableCommit { Kept = kept });
        await context.Queue.RunAsync(count, cancellationToken).ConfigureAwait(false);
        return count.Absent!;
    }

    /// <summary>Warns that a set without an end was merged, and which records of the table it lacks.</summary>
    public Task WarnOfUnfinishedAsync(AbsentRecords absent)
    {
        context.HasToldOfMore = true;
        return context.PostEventAsync(
            FeedEventKind.Warning,
            "The feed does not say where its whole set ends, so Lockstep cannot tell which records are gone; what it sent was merged into "
                + "the table."
                + (
                    absent.Count == 0
                        ? ""
                        : string.Create(
                            CultureInfo.InvariantCulture,
                            $" It lacks {absent.Count} of {context.Target.State.Rows} records, which "
                                + $"stay{SweepRefusedException.Among(absent.Examples)}."
                        )
                ),
            absent.Count == 0 ? null : (Remedy)$"If these records are really gone, sync again with {Term.Resync} and {Term.Force}."
        );
    }

    /// <summary>Discards a set, and records that it is owed.</summary>
    public async Task<OwedSet> OweAsync(RefusedSweep? refused, Func<CancellationToken, Task> discard, CancellationToken cancellationToken)
    {
        await discard(cancellationToken).ConfigureAwait(false);
        var owed = OneMore(refused);
        var commit = new TableCommit { Resume = context.Target.State.Resume, Owed = owed };
        await context.Queue.RunAsync(new CommitJob(CommitKind.Commit, commit), cancellationToken).ConfigureAwait(false);
        return owed;
    }

    /// <summary>What is owed after another set that could not be applied as it is.</summary>
    public OwedSet OneMore(RefusedSweep? refused = null) => OwedSet.After(context.Target.State.Owed, context.Time.GetUtcNow(), refused);

    /// <summary>Warns that a set could not be read in full, and what follows from that.</summary>
    public Task WarnOfUnreadableAsync(string consequence) =>
        context.PostEventAsync(
            FeedEventKind.Warning,
            $"Part of the whole set could not be read, {consequence}. The set is fetched again later.",
            "Look at the quarantined records, and tell the feed's operator."
        );
}
