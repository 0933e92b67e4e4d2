namespace Lockstep;

/// <summary>What a test server sends.</summary>
public enum TestServerFeed
{
    /// <summary>Six objects, over and over, one per chunk, every millisecond, for ever; a second port redirects to the first.</summary>
    Reference,

    /// <summary>Two records, then the end.</summary>
    Finite,

    /// <summary>The records that it is given, from the client's cursor on; then it waits for more.</summary>
    Scripted,

    /// <summary>A response of a real feed that was recorded with its timing.</summary>
    Replay,
}
