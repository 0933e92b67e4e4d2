namespace Lockstep.Postgres.Tracking;

/// <summary>How a table is tracked.</summary>
public sealed record TrackingOptions
{
    internal static readonly TrackingOptions Default = new();

    /// <summary>
    /// Whether each change also notifies the feeds, so that they look at once. Transactions that notify commit one at a time, and cannot be
    /// prepared for a two-phase commit. Null: not for a table that was not tracked before; otherwise as it is.
    /// </summary>
    public bool? Wake { get; init; }

    /// <summary>
    /// Whether a boolean column <c>deleted</c> of the table marks rows that clients are told to be gone; else it is data like any other.
    /// Null:
    /// it is data; or, of a table that is tracked already, as it is.
    /// </summary>
    public bool? SoftDelete { get; init; }

    /// <summary>
    /// How long a try may wait for the table's lock, and others behind it; above zero, default 2 s. It is tried again, with pauses in which
    /// others get by.
    /// </summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often it is tried; at least 1, default 10.</summary>
    public int Attempts { get; init; } = 10;
}
