namespace Lockstep.TestServer.Feeds;

/// <summary>A feed of the records that a test supplies. Thread-safe.</summary>
internal interface IRecordFeed : IFeed
{
    /// <summary>How many records it was given, including removals.</summary>
    int RecordCount { get; }

    /// <summary>The newest, the newest first.</summary>
    IReadOnlyList<ReadOnlyMemory<byte>> Latest(int count);

    /// <summary>Adds records as one step; waiting clients get them at once.</summary>
    /// <param name="records">JSON objects in UTF-8.</param>
    /// <param name="removes">Whether they are removed, even if they do not say so.</param>
    /// <exception cref="InvalidRecordException">One of them is not a record of this feed; those before it were added.</exception>
    /// <exception cref="InvalidOperationException">The feed can express a removal only in the record itself.</exception>
    void Add(IEnumerable<ReadOnlyMemory<byte>> records, bool removes);

    /// <summary>Sends a heartbeat to every client connected to an endless answer.</summary>
    /// <param name="kind">What it looks like, if the feed leaves a choice.</param>
    /// <param name="requests">How many requests there were so far.</param>
    void SendHeartbeat(HeartbeatKind kind, long requests);
}
