namespace Lockstep.Ticks;

/// <summary>Which store was read, and how far its history had come. Immutable.</summary>
/// <param name="Identity">Chosen at random when the store was created; null for one created before stores had identities.</param>
/// <param name="Version">
/// How many changes the store has seen: it increases with each and never decreases, unless the store was restored to an earlier state.
/// </param>
/// <param name="Marks">
/// The marks of the newest changes, newest first, <see cref="MarkLength"/> characters each: a store that was restored and then changed
/// again may reach the version read before, but with another mark. Null for a store that keeps none.
/// </param>
public sealed record TickStoreStamp(string? Identity, long Version, string? Marks = null)
{
    /// <summary>The length of a change's mark.</summary>
    internal const int MarkLength = 8;

    /// <summary>How many marks a store keeps.</summary>
    internal const int MostMarks = 64;

    /// <summary>For a store without a stamp: it always matches.</summary>
    public static TickStoreStamp Unknown { get; } = new(null, 0);

    /// <summary>The mark of the newest change; empty if there is none.</summary>
    internal string Mark => Marks is { Length: >= MarkLength } ? Marks[..MarkLength] : "";

    /// <summary>A mark for a new change.</summary>
    internal static string NewMark() => Guid.NewGuid().ToString("N")[..MarkLength];

    /// <summary>Compares the stamp just read to an earlier one.</summary>
    /// <exception cref="TickStoreReplacedException">It is another store, or the same one in an earlier state.</exception>
    internal void RequireSuccessor(TickStoreStamp next, string store)
    {
        if (Identity is null || next.Identity is null)
            return;
        if (next.Identity != Identity)
            throw new TickStoreReplacedException(store, "another store is in its place");
        if (next.Version < Version)
            throw new TickStoreReplacedException(store, "it is back in an earlier state");
        if (Mark.Length > 0 && next.MarkOf(Version) is { } mark && mark != Mark)
            throw new TickStoreReplacedException(store, "changes that were read are gone from it");
    }

    /// <summary>The mark of the change that produced a version; null if it is no longer known.</summary>
    private string? MarkOf(long version)
    {
        var start = (Version - version) * MarkLength;
        return Marks is not null && start + MarkLength <= Marks.Length ? Marks.Substring((int)start, MarkLength) : null;
    }
}
