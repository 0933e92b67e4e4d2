namespace Lockstep.Engine.Tables;

/// <summary>What an arriving record does to the one stored under its key. The SQL for tables in PostgreSQL uses the same numbers.</summary>
internal enum Verdict
{
    /// <summary>It is older than the stored one, or identical.</summary>
    Nothing = 0,

    Added = ChangeKind.Added,

    Updated = ChangeKind.Updated,

    Deleted = ChangeKind.Deleted,

    /// <summary>The same content with a higher order value: the order value is stored, and nothing has changed.</summary>
    OrderRises = 4,
}

/// <summary>The rule by which records are applied (I3, I4), wherever they are stored.</summary>
internal static class RecordRule
{
    /// <summary>
    /// Judges a record: it is applied if its order value is not below the stored one, and a tombstone counts as stored (I3). At a tie, a
    /// record of a whole set does not revive what the feed deleted, but what was merely missing from a whole set comes back (I6). A record
    /// that arrives unchanged is not a change.
    /// </summary>
    /// <param name="stored">What is stored under the key; null for nothing.</param>
    /// <param name="order">
    /// How the order value compares with the stored one: below 0, 0, or above. An unknown stored one is below all.
    /// </param>
    /// <param name="coming">The arriving record; never <see cref="RowState.Swept"/>.</param>
    /// <param name="isSame">Whether the bytes equal the stored ones; evaluated only if state and order value allow it.</param>
    /// <param name="isOfWholeSet">Whether it belongs to a whole set, and order values say which of two records is newer.</param>
    public static Verdict Judge(RowState? stored, int order, RowState coming, bool isSame, bool isOfWholeSet = false)
    {
        var isLive = coming == RowState.Live;
        if (stored is not { } state)
            return isLive ? Verdict.Added : Verdict.Deleted;
        if (order < 0 || (order == 0 && isLive && state == RowState.Deleted && isOfWholeSet))
            return Verdict.Nothing;
        if (isSame && state == coming)
            return order > 0 ? Verdict.OrderRises : Verdict.Nothing;
        return !isLive ? Verdict.Deleted
            : state == RowState.Live ? Verdict.Updated
            : Verdict.Added;
    }

    /// <summary>The change that a verdict stands for; null if there is none.</summary>
    public static ChangeKind? Change(this Verdict verdict) => verdict is Verdict.Nothing or Verdict.OrderRises ? null : (ChangeKind)verdict;
}
