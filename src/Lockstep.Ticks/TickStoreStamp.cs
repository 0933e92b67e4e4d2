namespace Lockstep.Ticks;

/// <summary>Which store was read, and how far its history had come. Immutable.</summary>
/// <param name="Identity">Chosen at random when the store was made; null for one made before stores had identities.</param>
/// <param name="Version">How many changes the store has seen: it rises with each and never falls, unless the store was put back to an
/// earlier state.</param>
public sealed record TickStoreStamp(string? Identity, long Version)
{
    /// <summary>Of a store that does not say: nothing is held against it.</summary>
    public static TickStoreStamp Unknown { get; } = new(null, 0);

    /// <summary>Holds what is read now against what was read before.</summary>
    /// <exception cref="TickStoreReplacedException">It is another store, or the same one in an earlier state.</exception>
    internal void RequireSuccessor(TickStoreStamp next, string store)
    {
        if (Identity is null || next.Identity is null)
            return;
        if (next.Identity != Identity)
            throw new TickStoreReplacedException(store, "another store is in its place");
        if (next.Version < Version)
            throw new TickStoreReplacedException(store, "it is back in an earlier state");
    }
}
