using System.Net;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Engine.Recording;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Foreign;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.TestServer;

/// <summary>What a <see cref="LockstepTestServer"/> is to be. Read once, when it starts.</summary>
public sealed class TestServerOptions
{
    /// <summary>The port of the reference server.</summary>
    public const int DefaultPort = 4567;

    /// <summary>0 to 65535; 0 has the system pick a free one.</summary>
    public int Port { get; set; } = DefaultPort;

    /// <summary>
    /// The port that answers everything with a 307 to <see cref="Port"/>. Null: one above it (or a free one, with 0) for the reference
    /// feed, none for the others.
    /// </summary>
    public int? RedirectPort { get; set; }

    /// <summary>
    /// The host in the redirecting port's <c>Location</c>. Null: <c>0.0.0.0</c> for the reference feed, as the original says it, and the
    /// address that the client reached for the others.
    /// </summary>
    public string? RedirectHost { get; set; }

    /// <summary>Loopback unless told otherwise.</summary>
    public IPAddress ListenAddress { get; set; } = IPAddress.Loopback;

    /// <summary>
    /// The names under which it may be asked for, besides IP addresses and, where it listens on loopback, <c>localhost</c>. No web page of
    /// another name controls it.
    /// </summary>
    public IReadOnlyCollection<string> AllowedHosts { get; set; } = [];

    /// <summary>The web pages of other sites that may read and control it, each by its origin such as <c>https://app.example</c>.</summary>
    public IReadOnlyCollection<string> AllowedOrigins { get; set; } = [];

    /// <summary>A certificate with its private key, to serve TLS on both ports; the caller keeps it. Null for plain HTTP.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>What is served.</summary>
    public FeedKind Feed { get; set; }

    /// <summary>How the scripted feed behaves.</summary>
    public ScriptedFeedOptions Scripted { get; } = new();

    /// <summary>How a feed in another server's dialect behaves.</summary>
    public DialectFeedOptions DialectFeed { get; } = new();

    /// <summary>
    /// Records that the scripted feed, or that of a dialect, has from the start, each a JSON object. They are read when the server starts.
    /// </summary>
    public IEnumerable<string> Records { get; set; } = [];

    /// <summary>A file with one JSON object a line, whose records come after <see cref="Records"/>; null for none.</summary>
    public string? RecordsFile { get; set; }

    /// <summary>The recording that the Replay feed serves.</summary>
    public string? ReplayFile { get; set; }

    /// <summary>How much faster than it was recorded: 1 as it was, 2 twice as fast, infinity without any pause. Above 0.</summary>
    public double ReplaySpeed { get; set; } = 1;

    /// <summary>A file with a scenario to start at once; null for none. See <see cref="Scenarios.Scenario.Parse"/>.</summary>
    public string? ScenarioFile { get; set; }

    /// <summary>Whether the server can be controlled over HTTP, under <c>/_lockstep/</c>, by everyone who reaches it.</summary>
    public bool ControlPath { get; set; } = true;

    /// <summary>How many of the newest requests are kept, 0 or more.</summary>
    public int RequestLogCapacity { get; set; } = 10_000;

    internal SiteRules Site => new() { AllowedHosts = AllowedHosts, AllowedOrigins = AllowedOrigins };

    internal void Validate()
    {
        Site.Checked();
        Require(Port is >= 0 and <= IPEndPoint.MaxPort, $"The port must be between 0 and {IPEndPoint.MaxPort}, but is {Port}.");
        Require(Enum.IsDefined(Feed), $"There is no feed {Feed}. Choose one of {string.Join(", ", Enum.GetNames<FeedKind>())}.");
        Require(RequestLogCapacity >= 0, $"The number of requests to keep must not be negative, but is {RequestLogCapacity}.");
        Require(
            EffectiveRedirectPort is null or (>= 0 and <= IPEndPoint.MaxPort),
            $"The redirecting port must be between 0 and {IPEndPoint.MaxPort}. Choose a lower port, or 0 for free ones."
        );
        Require(
            RedirectHost is null || Uri.CheckHostName(RedirectHost) != UriHostNameType.Unknown,
            $"'{RedirectHost}' is not a host to redirect to. Give a name or an address, without a port."
        );
        Require(
            Scripted.HeartbeatInterval is not { } interval || interval >= TimeSpan.FromMilliseconds(1),
            "The time between heartbeats must be at least one millisecond."
        );
        Require(
            (Feed == FeedKind.Replay) == (ReplayFile is not null),
            "The Replay feed needs a file to replay, and only that feed does. Give both or neither."
        );
        Require(ReplaySpeed > 0, "The speed must be above 0; infinity leaves the pauses out.");
        Require(string.IsNullOrWhiteSpace(Scripted.Separator), "Only white space may separate records.");
        Require(
            TakesRecords(Feed) || (RecordsFile is null && !Records.Any()),
            $"The {Feed} feed serves no records of your own. Choose Scripted or a dialect, or give no records."
        );
        Require(DialectFeed.PageSize is >= 1 and <= 1_000_000, $"A page holds from 1 to 1,000,000 items, not {DialectFeed.PageSize}.");
        Require(
            DialectFeed.HeartbeatInterval >= TimeSpan.FromMilliseconds(1) && DialectFeed.LongestWait >= TimeSpan.FromMilliseconds(1),
            "A heartbeat and a wait take at least one millisecond."
        );
        Require(
            DialectFeed.Description is null || Feed == FeedKind.Rest,
            "Only the Rest feed is served by a dialect of your own. Choose that feed, or give no dialect."
        );
        Require(DialectFeed.Path is null || IsDialect(Feed), "Only a feed in another server's dialect has a path of your own.");
        Require(RecordsFile is not "" && ReplayFile is not "" && ScenarioFile is not "", "The name of a file is empty.");
    }

    /// <summary>Whether a feed takes records of a test.</summary>
    internal static bool TakesRecords(FeedKind feed) => feed == FeedKind.Scripted || IsDialect(feed);

    /// <summary>Whether a feed is in the dialect of another server.</summary>
    internal static bool IsDialect(FeedKind feed) => feed >= FeedKind.ODataDelta;

    /// <summary>The message reaches users as it is, so it names no member.</summary>
    private static void Require(bool holds, string message)
    {
        if (!holds)
            throw new ArgumentException(message);
    }

    /// <summary>Whether a start failed because of what it was given to serve: a wrong option, or a file that cannot be read.</summary>
    internal static bool IsBadInput(Exception error) =>
        error is ArgumentException or InvalidRecordException or InvalidScenarioException or InvalidRecordingException
        || (error is IOException or UnauthorizedAccessException && error is not ListenException);

    internal int? EffectiveRedirectPort =>
        RedirectPort
        ?? (
            Feed != FeedKind.Reference ? null
            : Port == 0 ? 0
            : Port + 1
        );
}
