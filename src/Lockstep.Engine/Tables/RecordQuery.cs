using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>Which records to read, and in which order. Immutable.</summary>
public sealed record RecordQuery
{
    /// <summary>All live records, in the order of their keys.</summary>
    public static RecordQuery All { get; } = new();

    /// <summary>
    /// Only the records of these keys; null for all. Each key has as many parts as the table has key fields, given as text or number.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<object>>? Keys { get; init; }

    /// <summary>
    /// Only what changed after this sequence number, including tombstones, in the order of the changes (I11); null for all.
    /// </summary>
    public long? Since { get; init; }

    /// <summary>Whether deleted records are read as well.</summary>
    public bool IncludeDeleted { get; init; }

    /// <summary>One read-only SQL expression over the fields; null for none.</summary>
    public string? Filter { get; init; }

    /// <summary>
    /// Values for the filter's parameters, by name without prefix: null, bool, integers of any size, double, decimal, a number as JSON
    /// (<see cref="System.Text.Json.JsonElement"/>) or string. Numbers compare with a field with all their digits.
    /// </summary>
    public IReadOnlyDictionary<string, object?> FilterParameters { get; init; } = new Dictionary<string, object?>();

    /// <summary>How many records to skip.</summary>
    public long Skip { get; init; }

    /// <summary>How many records to read at most; null for all.</summary>
    public long? First { get; init; }
}
