namespace Lockstep.Postgres;

/// <summary>
/// The settings specific to <see cref="PostgresFeedMode.Replication"/>. The user needs the REPLICATION attribute, and must own the table
/// unless <see cref="Publication"/> is set.
/// </summary>
public sealed record PostgresReplicationOptions
{
    /// <summary>The default of <see cref="MaxSlotLagBytes"/>.</summary>
    public const long DefaultSlotLagBytes = 4L << 30;

    /// <summary>The least value of <see cref="MaxSlotLagBytes"/>.</summary>
    public const int LeastSlotLagBytes = 16 << 20;

    /// <summary>
    /// The file that keeps the changes for clients (SQLite; created if it does not exist). It belongs to one feed at a time and to its
    /// slot; if it is lost, the feed starts over and every client resyncs.
    /// </summary>
    public required string LogPath { get; init; }

    /// <summary>
    /// How many bytes of changes are kept for clients that return; an older cursor gets a 410. At least 64 KiB; default 1 GiB. Changes that
    /// snapshots may not show yet are kept beyond that.
    /// </summary>
    public long LogBytes { get; init; } = 1L << 30;

    /// <summary>
    /// The replication slot, shared by the feeds of one process over one connection string: lower-case letters, digits and underscores, at
    /// most 63. Null for one named after the database, which only one process at a time can use.
    /// </summary>
    public string? Slot { get; init; }

    /// <summary>The publication, if the owner of the table has created one; null to have the feed create one.</summary>
    public string? Publication { get; init; }

    /// <summary>
    /// How many bytes of its log (WAL) the server may have to keep for the slot. Beyond that the slot is dropped, so that it cannot fill
    /// the disk; it is then created again, and all clients of all its tables resync. Only a running feed enforces this;
    /// <c>max_slot_wal_keep_size</c> on the server always does. At least 16 MiB; default 4 GiB.
    /// </summary>
    public long MaxSlotLagBytes { get; init; } = DefaultSlotLagBytes;

    internal void Check()
    {
        ArgumentException.ThrowIfNullOrEmpty(LogPath);
        ArgumentOutOfRangeException.ThrowIfLessThan(LogBytes, 64 << 10);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxSlotLagBytes, LeastSlotLagBytes);
        if (
            Slot is not null
            && (Slot.Length is 0 or > 63 || !Slot.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
        )
        {
            throw new ArgumentException(
                "The name of a replication slot consists of at most 63 lower-case letters, digits and underscores.",
                nameof(Slot)
            );
        }
    }
}

/// <summary>A feed's replication slot, as of the last check.</summary>
/// <param name="Name">The slot.</param>
/// <param name="LagBytes">How much WAL the server keeps for it.</param>
/// <param name="ServerBoundBytes">The server's own limit for that (<c>max_slot_wal_keep_size</c>); null if it has none.</param>
public sealed record PostgresSlotState(string Name, long LagBytes, long? ServerBoundBytes);
