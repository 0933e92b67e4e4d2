namespace Lockstep;

/// <summary>How the feed of another server is read.</summary>
public sealed class DialectInfo
{
    internal DialectInfo() { }

    /// <summary>The dialect's name, for -Dialect.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>What it reads.</summary>
    public string Description { get; internal init; } = "";

    /// <summary>How long a sync that follows waits between polls.</summary>
    public TimeSpan Interval { get; internal init; }

    /// <summary>The dialect in full, as JSON: a beginning for one of your own.</summary>
    public string Json { get; internal init; } = "";

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}

/// <summary>What one request of a dialect has read.</summary>
public sealed class DialectRequestInfo
{
    internal DialectRequestInfo() { }

    /// <summary>What was asked, without secrets.</summary>
    public string Request { get; internal init; } = "";

    /// <summary>What for: Snapshot, Changes or Live.</summary>
    public string Purpose { get; internal init; } = "";

    /// <summary>The status that was answered.</summary>
    public int Status { get; internal init; }

    /// <summary>How many items came.</summary>
    public int Items { get; internal init; }

    /// <summary>Where in the answer they were; empty for the answer itself.</summary>
    public string? Place { get; internal init; }

    /// <summary>The key of the first record.</summary>
    public string? FirstKey { get; internal init; }

    /// <summary>The first record, as it would be stored.</summary>
    public string? FirstRecord { get; internal init; }

    /// <summary>How the cursor begins that the answer names.</summary>
    public string? Cursor { get; internal init; }

    /// <summary>How the link or the token of the next page begins.</summary>
    public string? Next { get; internal init; }

    /// <summary>Whether the answer says that all has come.</summary>
    public bool IsUpToDate { get; internal init; }
}
