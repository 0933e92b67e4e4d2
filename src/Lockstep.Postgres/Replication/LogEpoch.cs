using System.Security.Cryptography;
using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// A stretch of the change log within which cursors mean something: from the slot's start, or from DDL or TRUNCATE, to the next. Immutable.
/// </summary>
/// <param name="Log">Stands for the log: a new one each time that it starts empty.</param>
/// <param name="Number">Counts its stretches.</param>
/// <param name="Table">The identity of what the database shows, which changes with every DDL; within a stretch, with additions.</param>
/// <param name="Base">What every snapshot that is served shows at least; changes that it shows are not in the log.</param>
internal sealed record LogEpoch(string Log, int Number, string Table, PgSnapshot Base)
{
    /// <summary>The first one of a log.</summary>
    public static LogEpoch First(FeedStamp stamp) =>
        new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)), 1, stamp.Identity, stamp.Snapshot);

    /// <summary>The timeline of the server on which it is served.</summary>
    public long Timeline => FeedIdentity.TimelineOf(Table) ?? 0;

    /// <summary>The feed's identity: never that of a feed by polling, nor that of another slot's.</summary>
    public string Identity => FormattableString.Invariant($"{Log}-{Number}-{Table}");

    /// <summary>
    /// Whether the stretch goes on with what the database shows: the same, if on another timeline, or what followed from it by additions.
    /// </summary>
    public bool GoesOnWith(FeedStamp stamp)
    {
        var here = FeedIdentity.OnTimeline(Table, stamp.Identity);
        return here == stamp.Identity
            || (
                FeedIdentity.FingerprintOf(here) is { } fingerprint
                && stamp.Table.Earlier.Contains(fingerprint)
                && FeedIdentity.With(stamp.Identity, fingerprint) == here
            );
    }

    /// <summary>
    /// Whether an identity is that of the same stretch, if from before it moved on with additions or to another timeline.
    /// </summary>
    public bool IsNamed(string identity) =>
        FeedIdentity.FingerprintOf(Identity) is { } fingerprint
        && FeedIdentity.FingerprintOf(identity) is not null
        && FeedIdentity.OnTimeline(FeedIdentity.With(identity, fingerprint), Identity) == Identity;
}

/// <summary>A transaction that changed the table.</summary>
/// <param name="Lsn">Where its commit is in the server's log: the <c>since</c> of its rows.</param>
/// <param name="Txid">Its id.</param>
internal readonly record struct LoggedTransaction(long Lsn, long Txid);

/// <summary>Whole lines of the rows of one or more transactions.</summary>
/// <param name="LastLsn">Of the newest one.</param>
/// <param name="Lines">The lines.</param>
internal readonly record struct LogPiece(long LastLsn, ReadOnlyMemory<byte> Lines);
