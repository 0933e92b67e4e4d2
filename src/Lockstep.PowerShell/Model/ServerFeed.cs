namespace Lockstep;

/// <summary>One feed of a server, as of the moment of asking.</summary>
public sealed class ServerFeed
{
    /// <summary>Its name in the path.</summary>
    public required string Name { get; init; }

    /// <summary>Its address: what <c>Sync-LockstepTable -Uri</c> wants.</summary>
    public required Uri Uri { get; init; }

    /// <summary>Where its records come from, without secrets: a database's table, or a table file.</summary>
    public required string Source { get; init; }

    /// <summary>The cursor of a client that has everything; null while it cannot be read.</summary>
    public long? Cursor { get; init; }

    /// <summary>Changes whenever cursors given out before mean nothing any more; null while it cannot be read.</summary>
    public string? Identity { get; init; }

    /// <summary>How long the oldest open writing transaction has been holding cursors back; zero for a table file.</summary>
    public TimeSpan Lag { get; init; }

    /// <summary>
    /// What there was last to know of it: a replication slot that was dropped, a resync that was forced; null for nothing.
    /// </summary>
    public string? Notice { get; init; }

    /// <summary>Why it cannot be read for now; null when it can.</summary>
    public string? Error { get; init; }

    /// <summary>Its address.</summary>
    public override string ToString() => Uri.ToString();
}
