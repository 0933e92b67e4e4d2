namespace Lockstep.Engine.Conformance;

/// <summary>How a feed is checked.</summary>
public sealed class ConformanceOptions
{
    /// <summary>The order field; null for <c>updated_at</c>, or <c>since</c> in the transaction dialect.</summary>
    public string? OrderBy { get; set; }

    /// <summary>The fields of the key; empty for <c>id</c>, or the record's first field where there is none.</summary>
    public IReadOnlyList<string> Key { get; set; } = [];

    /// <summary>After how much silence an endless feed counts as caught up.</summary>
    public TimeSpan Settle { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Within what time a silent endless feed is to show that it is alive. Null: this is not checked.</summary>
    public TimeSpan? Heartbeat { get; set; }

    /// <summary>How many records of a response are looked at.</summary>
    public int MaximumRecords { get; set; } = 100_000;
}
