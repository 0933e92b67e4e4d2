namespace Lockstep.TestServer.Feeds;

/// <summary>A feed of the records that a test supplies. Thread-safe.</summary>
internal interface IRecordFeed : IFeed
{
    /// <summary>How many records it was given, removals included.</summary>
    int RecordCount { get; }

    /// <summary>The newest, the newest first.</summary>
    IReadOnlyList<ReadOnlyMemory<byte>> Latest(int count);

    /// <summary>Adds records as one step; clients that wait for them get them at once.</summary>
    /// <param name="records">JSON objects in UTF-8.</param>
    /// <param name="removes">Whether they are gone, even where they do not say so.</param>
    /// <exception cref="InvalidRecordException">One of them is no record of this feed; those before it were added.</exception>
    /// <exception cref="InvalidOperationException">The feed has no word for a removal but the record's own.</exception>
    void Add(IEnumerable<ReadOnlyMemory<byte>> records, bool removes);

    /// <summary>Has a heartbeat sent to everyone who is connected to an endless answer.</summary>
    /// <param name="kind">What it looks like, where the feed leaves a choice.</param>
    /// <param name="requests">How many requests there were up to now.</param>
    void SendHeartbeat(HeartbeatKind kind, long requests);
}
