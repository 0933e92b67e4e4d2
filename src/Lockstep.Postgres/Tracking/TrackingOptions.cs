namespace Lockstep.Postgres.Tracking;

/// <summary>How a table is tracked.</summary>
public sealed record TrackingOptions
{
    internal static readonly TrackingOptions Default = new();

    /// <summary>
    /// Whether each change also notifies the feeds, so that they poll at once. Transactions that notify commit one at a time, and cannot be
    /// prepared for two-phase commit. Null keeps the current setting; a newly tracked table then does not notify.
    /// </summary>
    public bool? Wake { get; init; }

    /// <summary>
    /// Whether a boolean column <c>deleted</c> marks rows that clients are to treat as deleted, rather than being ordinary data. Null keeps
    /// the current setting; in a newly tracked table the column is then data.
    /// </summary>
    public bool? SoftDelete { get; init; }

    /// <summary>
    /// How long one attempt may wait for the table's lock, with others queueing behind it; above zero, default 2 s. Attempts are spaced so
    /// that others get through.
    /// </summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many attempts; at least 1, default 10.</summary>
    public int Attempts { get; init; } = 10;
}
