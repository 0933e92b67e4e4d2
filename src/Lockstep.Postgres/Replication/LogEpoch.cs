using System.Security.Cryptography;
using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// A stretch of the change log within which cursors are valid: from the slot's start, or from DDL or TRUNCATE, to the next. Immutable.
/// </summary>
/// <param name="Log">Identifies the log: a new value each time it starts empty.</param>
/// <param name="Number">Counts its stretches.</param>
/// <param name="Table">The identity of what the database shows, which changes with every DDL; within a stretch only by additions.</param>
/// <param name="Base">What every served snapshot shows at least; changes that it shows are not in the log.</param>
internal sealed record LogEpoch(string Log, int Number, string Table, PgSnapshot Base)
{
    /// <summary>A log's first stretch.</summary>
    public static LogEpoch First(FeedStamp stamp) =>
        new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)), 1, stamp.Identity, stamp.Snapshot);

    /// <summary>The timeline of the server that is being read.</summary>
    public long Timeline => FeedIdentity.TimelineOf(Table) ?? 0;

    /// <summary>The feed's identity: never that of a polling feed, nor of another slot.</summary>
    public string Identity => FormattableString.Invariant($"{Log}-{Number}-{Table}");

    /// <summary>
    /// Whether the stretch continues with what the database shows: the same table, possibly on another timeline, or one that differs only
    /// by additions.
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

    /// <summary>Whether an identity belongs to the same stretch, possibly from before an addition or a change of timeline.</summary>
    public bool IsNamed(string identity) =>
        FeedIdentity.FingerprintOf(Identity) is { } fingerprint
        && FeedIdentity.FingerprintOf(identity) is not null
        && FeedIdentity.OnTimeline(FeedIdentity.With(identity, fingerprint), Identity) == Identity;
}

/// <summary>A transaction that changed the table.</summary>
/// <param name="Lsn">The position of its commit in the server's log: the <c>since</c> of its rows.</param>
/// <param name="Txid">Its id.</param>
internal readonly record struct LoggedTransaction(long Lsn, long Txid);

/// <summary>Whole lines of the rows of one or more transactions.</summary>
/// <param name="LastLsn">The position of the newest transaction.</param>
/// <param name="Lines">The lines.</param>
internal readonly record struct LogPiece(long LastLsn, ReadOnlyMemory<byte> Lines);
