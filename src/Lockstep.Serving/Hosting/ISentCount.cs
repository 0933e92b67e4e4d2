namespace Lockstep.Serving.Hosting;

/// <summary>What one request has been sent. The figures move on while it is open; any thread may read them.</summary>
internal interface ISentCount
{
    /// <summary>Records; heartbeats and control rows do not count.</summary>
    long Records { get; }

    /// <summary>Bytes of the body.</summary>
    long Bytes { get; }
}
