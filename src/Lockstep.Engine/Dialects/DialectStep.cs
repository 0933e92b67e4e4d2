namespace Lockstep.Engine.Dialects;

/// <summary>
/// What one request of a dialect has read, for authors of dialects; of a stream, what arrived together. Immutable; holds no secret.
/// </summary>
/// <param name="Request">What was requested, without secrets.</param>
/// <param name="Purpose">Its purpose: Snapshot, Changes or Live.</param>
/// <param name="Status">The status of the answer.</param>
public sealed record DialectStep(string Request, string Purpose, int Status)
{
    /// <summary>How many items arrived, of any kind.</summary>
    public int Items { get; init; }

    /// <summary>Where in the answer they were; empty for the answer itself, null if there was no list.</summary>
    public string? Place { get; init; }

    /// <summary>The key of the first record.</summary>
    public string? FirstKey { get; init; }

    /// <summary>The value by which the first record is older or newer than another, as JSON; null if arrival decides.</summary>
    public string? FirstOrder { get; init; }

    /// <summary>The first record, as it would be stored.</summary>
    public string? FirstRecord { get; init; }

    /// <summary>The beginning of the answer's cursor.</summary>
    public string? Cursor { get; init; }

    /// <summary>The beginning of the next page's link or token.</summary>
    public string? Next { get; init; }

    /// <summary>Whether the answer says that the client is up to date.</summary>
    public bool IsUpToDate { get; init; }
}
