using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>Which records to read, and in which order. Immutable.</summary>
public sealed record RecordQuery
{
    /// <summary>All live records, in key order.</summary>
    public static RecordQuery All { get; } = new();

    /// <summary>
    /// Only the records with these keys; null for all. Each key has as many parts as the table has key fields, given as text or number.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<object>>? Keys { get; init; }

    /// <summary>Only what changed after this sequence number, including tombstones, in order of change (I11); null for all.</summary>
    public long? Since { get; init; }

    /// <summary>Whether to read deleted records as well.</summary>
    public bool IncludeDeleted { get; init; }

    /// <summary>One read-only SQL expression over the fields; null for none.</summary>
    public string? Filter { get; init; }

    /// <summary>
    /// Values for the filter's parameters, by name without prefix: null, bool, integers of any size, double, decimal, a number as JSON
    /// (<see cref="System.Text.Json.JsonElement"/>) or string. Numbers are compared with all their digits.
    /// </summary>
    public IReadOnlyDictionary<string, object?> FilterParameters { get; init; } = new Dictionary<string, object?>();

    /// <summary>How many records to skip.</summary>
    public long Skip { get; init; }

    /// <summary>The maximum number of records to read; null for all.</summary>
    public long? First { get; init; }
}
