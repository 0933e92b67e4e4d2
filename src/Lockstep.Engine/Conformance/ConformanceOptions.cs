namespace Lockstep.Engine.Conformance;

/// <summary>How a feed is checked.</summary>
public sealed class ConformanceOptions
{
    /// <summary>The order field; null for <c>updated_at</c>, or <c>since</c> in the transaction dialect.</summary>
    public string? OrderBy { get; set; }

    /// <summary>The fields of the key; empty for <c>id</c>, or the record's first field if it has no <c>id</c>.</summary>
    public IReadOnlyList<string> Key { get; set; } = [];

    /// <summary>How long an endless feed must be silent to count as caught up.</summary>
    public TimeSpan Settle { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How soon a silent endless feed must show that it is alive; null to skip that check.</summary>
    public TimeSpan? Heartbeat { get; set; }

    /// <summary>How many records of a response to check.</summary>
    public int MaximumRecords { get; set; } = 100_000;
}
