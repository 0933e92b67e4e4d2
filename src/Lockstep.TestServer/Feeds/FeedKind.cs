using Lockstep.Engine.Recording;

namespace Lockstep.TestServer.Feeds;

/// <summary>What a test server sends.</summary>
public enum FeedKind
{
    /// <summary>
    /// The reference feed: six objects, one per chunk and nothing between them, every millisecond forever, at any path. A second port
    /// redirects to the first.
    /// </summary>
    Reference,

    /// <summary>Two records at <c>/servers/:since</c>, a newline after each, then the end.</summary>
    Finite,

    /// <summary>The records that the test supplies, from the cursor on; see <see cref="ScriptedFeedOptions"/>.</summary>
    Scripted,

    /// <summary>A response of a real feed that was recorded with its timing, to every request; see <see cref="FeedRecorder"/>.</summary>
    Replay,

    /// <summary>
    /// A delta query as Microsoft Graph answers it, at <c>/users/delta</c>; see <see cref="Foreign.DialectFeedOptions"/>.
    /// </summary>
    ODataDelta,

    /// <summary>A list of Kubernetes and its watch, at <c>/api/v1/pods</c>.</summary>
    Kubernetes,

    /// <summary>The changes of a CouchDB database, at <c>/db/_changes</c>.</summary>
    CouchDb,

    /// <summary>Server-sent events, at <c>/events</c>.</summary>
    EventStream,

    /// <summary>A list of JSON, at <c>/items</c>.</summary>
    Rest,

    /// <summary>A shape of Electric, at <c>/v1/shape?table=items</c>.</summary>
    Shape,

    /// <summary>A Durable Stream, at <c>/v1/stream/items</c>.</summary>
    DurableStream,
}
