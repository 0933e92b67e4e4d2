using Lockstep.Engine.Recording;

namespace Lockstep.TestServer.Feeds;

/// <summary>What a test server sends.</summary>
public enum FeedKind
{
    /// <summary>
    /// The reference feed: six objects, one per chunk and nothing between them, every millisecond for ever, at any path. A second port
    /// redirects to the first.
    /// </summary>
    Reference,

    /// <summary>Two records at <c>/servers/:since</c>, a newline after each, then the end.</summary>
    Finite,

    /// <summary>The records that the test supplies, from the cursor on; see <see cref="ScriptedFeedOptions"/>.</summary>
    Scripted,

    /// <summary>A response of a real feed that was recorded with its timing, to every request; see <see cref="FeedRecorder"/>.</summary>
    Replay,
}
