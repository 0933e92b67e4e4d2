namespace Lockstep.TestServer.Responses;

/// <summary>A feature of a request that a feed of another dialect is to answer otherwise than it should.</summary>
internal sealed class Distortion
{
    /// <summary>How many changes before the cursor come again.</summary>
    public int Replayed { get; set; }

    /// <summary>The identity that the feed has for this request; null for its own.</summary>
    public string? Identity { get; set; }
}
