namespace Lockstep;

/// <summary>How to read another server's feed.</summary>
public sealed class DialectInfo
{
    internal DialectInfo() { }

    /// <summary>The dialect's name, for -Dialect.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>What it reads.</summary>
    public string Description { get; internal init; } = "";

    /// <summary>How long a following sync waits between polls.</summary>
    public TimeSpan Interval { get; internal init; }

    /// <summary>The dialect in full, as JSON: a starting point for your own.</summary>
    public string Json { get; internal init; } = "";

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}

/// <summary>What one request of a dialect read.</summary>
public sealed class DialectRequestInfo
{
    internal DialectRequestInfo() { }

    /// <summary>The request, without secrets.</summary>
    public string Request { get; internal init; } = "";

    /// <summary>Its purpose: Snapshot, Changes or Live.</summary>
    public string Purpose { get; internal init; } = "";

    /// <summary>The status of the answer.</summary>
    public int Status { get; internal init; }

    /// <summary>How many items came.</summary>
    public int Items { get; internal init; }

    /// <summary>Where in the answer they were; empty for the answer itself.</summary>
    public string? Place { get; internal init; }

    /// <summary>The key of the first record.</summary>
    public string? FirstKey { get; internal init; }

    /// <summary>The value by which the first record is older or newer than another, as JSON; null if arrival decides.</summary>
    public string? FirstOrder { get; internal init; }

    /// <summary>The first record, as it would be stored.</summary>
    public string? FirstRecord { get; internal init; }

    /// <summary>The start of the cursor that the answer gave.</summary>
    public string? Cursor { get; internal init; }

    /// <summary>The start of the link or token of the next page.</summary>
    public string? Next { get; internal init; }

    /// <summary>Whether the answer says that everything has arrived.</summary>
    public bool IsUpToDate { get; internal init; }
}
