using System.Management.Automation;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Records;
using Lockstep.Sessions;
using Lockstep.Sync;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>Starts a feed server in this process.</summary>
[Cmdlet(VerbsLifecycle.Start, "LockstepTestServer", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(TestServerInfo))]
public sealed class StartLockstepTestServerCommand : LockstepCmdlet
{
    private readonly RecordTexts _records = new();

    /// <summary>The port: 4567 like the reference server, or 0 for a free one.</summary>
    [Parameter(Position = 0)]
    [ValidateRange(0, IPEndPoint.MaxPort)]
    public int Port { get; set; } = TestServerOptions.DefaultPort;

    /// <summary>The address to listen on; by default loopback.</summary>
    [Parameter]
    [ValidateNotNull]
    public IPAddress ListenAddress { get; set; } = IPAddress.Loopback;

    /// <summary>
    /// What it sends: Reference, or Scripted if records are given. ODataDelta, Kubernetes, CouchDb, EventStream, Rest, Shape and
    /// DurableStream answer as those servers do.
    /// </summary>
    [Parameter]
    [OneOf(typeof(TestServerFeed))]
    public TestServerFeed Feed { get; set; }

    /// <summary>
    /// The path of a feed in another server's dialect, such as <c>/v1.0/groups/delta</c>; by default the dialect's usual one.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? FeedPath { get; set; }

    /// <summary>How many items a page of such a feed holds, unless the client asks for fewer.</summary>
    [Parameter]
    [ValidateRange(1, 1_000_000)]
    public int PageSize { get; set; } = 100;

    /// <summary>
    /// The dialect in which the Rest feed is served: a hashtable, or a file that ends in <c>.json</c>. Items, links and tokens are where it
    /// tells a client to look.
    /// </summary>
    [Parameter]
    [ArgumentCompleter(typeof(DialectCompleter))]
    public object? Dialect { get; set; }

    /// <summary>
    /// Records of the scripted feed, or of one in another server's dialect: objects, hashtables, or strings with a JSON object each.
    /// </summary>
    [Parameter(ValueFromPipeline = true)]
    [AllowEmptyCollection]
    [ValidateNotNull]
    public object[] Record { get; set; } = [];

    /// <summary>A file with such records, one JSON object per line. They come after those of -Record.</summary>
    [Parameter]
    [Alias("PSPath")]
    public string? Path { get; set; }

    /// <summary>A scenario to run from the start: steps as hashtables, or the path of a JSON file.</summary>
    [Parameter]
    public object[]? Scenario { get; set; }

    /// <summary>A recording of a feed to serve.</summary>
    [Parameter]
    public string? Replay { get; set; }

    /// <summary>How much faster to replay it than it was recorded; infinity leaves the pauses out.</summary>
    [Parameter]
    [Alias("Speed")]
    [ValidateRange(double.Epsilon, double.PositiveInfinity)]
    public double ReplaySpeed { get; set; } = 1;

    /// <summary>A certificate with its private key, to serve https.</summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>
    /// Host names that requests may use. IP addresses are always allowed, and localhost if it listens on loopback; web pages under any
    /// other name cannot reach it.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] AllowedHost { get; set; } = [];

    /// <summary>The web pages of other sites that may connect, each by its origin such as <c>https://app.example</c>.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] AllowedOrigin { get; set; } = [];

    private protected override object? ErrorTarget => Port;

    private protected override void Process()
    {
        foreach (var record in Record)
            _records.Add(record);
    }

    private protected override void End()
    {
        var hasRecords = _records.Count > 0 || Path is not null;
        var feed =
            MyInvocation.BoundParameters.ContainsKey(nameof(Feed)) ? Feed
            : Replay is not null ? TestServerFeed.Replay
            : Dialect is not null ? TestServerFeed.Rest
            : hasRecords || Scenario is not null ? TestServerFeed.Scripted
            : TestServerFeed.Reference;
        var kind = Enum.Parse<FeedKind>(feed.ToString());
        if (hasRecords && !TestServerOptions.TakesRecords(kind))
        {
            throw new InvalidOptionException(
                $"The {feed} feed sends what it always sends.",
                "Leave out -Record and -Path, or use -Feed Scripted."
            );
        }

        if (!TestServerOptions.IsDialect(kind) && (FeedPath is not null || MyInvocation.BoundParameters.ContainsKey(nameof(PageSize))))
        {
            throw new InvalidOptionException(
                $"The {feed} feed has neither pages nor a path of your own.",
                "Leave out -FeedPath and -PageSize, or use -Feed with the name of another server's dialect."
            );
        }

        if (Dialect is not null && feed != TestServerFeed.Rest)
            throw new InvalidOptionException($"The {feed} feed has its own dialect.", "Leave out -Dialect, or use -Feed Rest.");

        if ((feed == TestServerFeed.Replay) != (Replay is not null))
        {
            throw new InvalidOptionException(
                "The Replay feed and a recording belong together.",
                "Give -Replay with the path of a recording, and no other -Feed."
            );
        }

        var scenario = Scenario is null ? null : ScenarioTexts.Read(Scenario, SessionState.Path);
        var site = SiteParameters.Read(AllowedHost, AllowedOrigin);
        var options = new TestServerOptions
        {
            Port = Port,
            ListenAddress = ListenAddress,
            Feed = kind,
            Records = _records,
            ReplayFile = Replay is null ? null : FileSystemPath.ResolveLiteral(SessionState.Path, Replay),
            ReplaySpeed = ReplaySpeed,
            Certificate = Certificate,
            AllowedHosts = site.AllowedHosts,
            AllowedOrigins = site.AllowedOrigins,
            RecordsFile = Path is null ? null : FileSystemPath.ResolveLiteral(SessionState.Path, Path),
        };
        options.DialectFeed.Path = FeedPath;
        options.DialectFeed.PageSize = PageSize;
        options.DialectFeed.Description = Dialect is null ? null : DialectSetting.Of(Dialect, SessionState.Path).Foreign;
        if (!ShouldProcess($"{ListenAddress}:{Port}", $"Start a test server with the {feed} feed"))
            return;

        var server = new TestServerInfo(
            new RunningTestServer(LockstepTestServer.StartAsync(options, cancellationToken: StopToken).GetAwaiter().GetResult())
        );
        SessionServers<TestServerInfo>.Current.Add(server);
        if (scenario is not null)
            server.Server.Server.StartScenario(scenario);
        WriteObject(server);
    }
}

/// <summary>Stops feed servers of this session.</summary>
[Cmdlet(VerbsLifecycle.Stop, "LockstepTestServer", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class StopLockstepTestServerCommand : LockstepCmdlet
{
    /// <summary>The servers; the only running one if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    [ValidateNotNull]
    public TestServerInfo[]? Server { get; set; }

    private protected override void Process()
    {
        foreach (var server in Server ?? [SessionServers<TestServerInfo>.Current.Only])
        {
            if (ShouldProcess(server.ToString(), "Stop the test server"))
                server.Server.StopAsync().GetAwaiter().GetResult();
        }
    }
}

/// <summary>Lists the running feed servers of this session.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepTestServer")]
[OutputType(typeof(TestServerInfo))]
public sealed class GetLockstepTestServerCommand : LockstepCmdlet
{
    private protected override void Process() => WriteObject(SessionServers<TestServerInfo>.Current.Running, enumerateCollection: true);
}
