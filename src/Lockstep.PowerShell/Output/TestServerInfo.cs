using Lockstep.Errors;
using Lockstep.Sessions;

namespace Lockstep;

/// <summary>
/// A feed server in this process, as <c>Start-LockstepTestServer</c> returns it. Its properties are read live.
/// </summary>
public sealed class TestServerInfo : ISessionServer<TestServerInfo>
{
    internal TestServerInfo(RunningTestServer server) => Server = server;

    /// <summary>Its root, with the port it is bound to.</summary>
    public Uri Uri => Server.Uri;

    /// <summary>The feed, for <c>Sync-LockstepTable -Uri</c>.</summary>
    public Uri FeedUri => Server.FeedUri;

    /// <summary>The root of the port that redirects to the first; null if there is none.</summary>
    public Uri? RedirectUri => Server.RedirectUri;

    /// <summary>What it sends.</summary>
    public TestServerFeed Feed => Server.Feed;

    /// <summary>How to read the feed, if it is in another server's dialect; null otherwise. Syncs take it from the pipeline.</summary>
    public DialectInfo? Dialect => Server.Dialect;

    /// <summary>The port that is bound.</summary>
    public int Port => Uri.Port;

    /// <summary>How many records the feed was given, including deletions; 0 for feeds that accept none.</summary>
    public int RecordCount => Server.RecordCount;

    /// <summary>How many requests are being answered now: the clients connected to an endless feed.</summary>
    public int ClientCount => Server.ClientCount;

    /// <summary>How many requests are in its log, which keeps the newest 10,000.</summary>
    public int RequestCount => Server.RequestCount;

    /// <summary>When it was started, in local time.</summary>
    public DateTime StartTime => Server.StartTime;

    /// <summary>False once it has been stopped.</summary>
    public bool IsRunning => Server.IsRunning;

    internal RunningTestServer Server { get; }

    Task ISessionServer<TestServerInfo>.StopAsync() => Server.StopAsync();

    static Exception ISessionServer<TestServerInfo>.NotOne(IReadOnlyList<TestServerInfo> running) =>
        new TestServerNotFoundException([.. running.Select(server => server.FeedUri)]);

    /// <summary>The feed's URI.</summary>
    public override string ToString() => FeedUri.ToString();
}

/// <summary>What a test server sends.</summary>
public enum TestServerFeed
{
    /// <summary>Six objects, over and over, one per chunk, every millisecond, forever; a second port redirects to the first.</summary>
    Reference,

    /// <summary>Two records, then the end.</summary>
    Finite,

    /// <summary>The records that it is given, from the client's cursor on; then it waits for more.</summary>
    Scripted,

    /// <summary>A recorded response of a real feed, with its timing.</summary>
    Replay,

    /// <summary>A delta query as Microsoft Graph answers it.</summary>
    ODataDelta,

    /// <summary>A Kubernetes list and its watch.</summary>
    Kubernetes,

    /// <summary>The changes of a CouchDB database.</summary>
    CouchDb,

    /// <summary>Server-sent events.</summary>
    EventStream,

    /// <summary>A JSON list in pages.</summary>
    Rest,

    /// <summary>An Electric shape.</summary>
    Shape,

    /// <summary>A Durable Stream.</summary>
    DurableStream,
}
