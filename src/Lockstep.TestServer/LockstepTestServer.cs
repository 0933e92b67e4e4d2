using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Recording;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Control;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Foreign;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Scenarios;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer;

/// <summary>
/// A feed server for tests and for trying things out, in this process. Thread-safe. Stop or dispose it; it ends within a second, also with
/// endless responses under way.
/// </summary>
public sealed class LockstepTestServer : IControlledServer, IAsyncDisposable
{
    /// <summary>A test may come with as many clients as the process may open files for.</summary>
    private static readonly ConnectionLimits Unlimited = new() { Most = 1_000_000, MostPerAddress = 1_000_000 };

    private readonly IFeed _feed;
    private readonly RequestLog _log;
    private readonly RequestRunner _runner;
    private readonly HttpEndpoint _endpoint;
    private readonly HttpEndpoint? _redirect;
    private readonly string? _redirectHost;
    private readonly Pulse _changed = new();
    private readonly Lock _scenarioGate = new();
    private HttpHost _host = null!;

    private LockstepTestServer(TestServerOptions options, TimeProvider time)
    {
        Feed = options.Feed;
        Time = time;
        StartTime = time.GetUtcNow();
        _log = new RequestLog(options.RequestLogCapacity, time);
        _feed = options.Feed switch
        {
            FeedKind.Reference => new ReferenceFeed(time),
            FeedKind.Finite => new FiniteFeed(),
            FeedKind.Scripted => new ScriptedFeed(options.Scripted, time, _changed),
            FeedKind.Replay => new ReplayFeed(options.ReplayFile!, options.ReplaySpeed, time),
            FeedKind.ODataDelta => new ODataDeltaFeed(options.DialectFeed, time, _changed),
            FeedKind.Kubernetes => new KubernetesFeed(options.DialectFeed, time, _changed),
            FeedKind.CouchDb => new CouchDbFeed(options.DialectFeed, time, _changed),
            FeedKind.EventStream => new EventStreamFeed(options.DialectFeed, time, _changed),
            FeedKind.Rest => new RestFeed(options.DialectFeed, time, _changed),
            FeedKind.Shape => new ShapeFeed(options.DialectFeed, time, _changed),
            FeedKind.DurableStream => new DurableStreamFeed(options.DialectFeed, time, _changed),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Feed, "There is no such feed."),
        };
        Faults = new FaultList(options.Feed, _feed, isSecure: options.Certificate is not null);
        _runner = new RequestRunner(_log, Faults, time, _feed, _changed);
        _endpoint = new HttpEndpoint
        {
            Address = options.ListenAddress,
            Port = options.Port,
            Certificate = options.Certificate,
            Site = options.Site,
        };
        _endpoint.SelectCertificate = () => Faults.SelectCertificate(options.Certificate!);
        _endpoint.Routes.Add("/", context => _runner.RunAsync(context, _feed.ServeAsync, _host.Stopping));
        if (options.ControlPath)
        {
            _endpoint.Routes.Add(ControlPath.Prefix, new ControlPath(this).AnswerAsync);
            _endpoint.Routes.Add(ScriptedFeed.SnapshotPath, context => _runner.RunAsync(context, _feed.ServeAsync, _host.Stopping));
        }
        if (options.EffectiveRedirectPort is { } port)
        {
            // The redirecting port is logged, but faults are for the feed.
            RequestRunner redirects = new(_log, new FaultList(options.Feed, _feed, isSecure: false), time, _feed, _changed);
            _redirect = new HttpEndpoint
            {
                Address = options.ListenAddress,
                Port = port,
                Certificate = options.Certificate,
                Site = options.Site,
            };
            _redirect.Routes.Add("/", context => redirects.RunAsync(context, RedirectAsync, _host.Stopping));
            _redirectHost = options.RedirectHost ?? (options.Feed == FeedKind.Reference ? ReferenceFeed.RedirectHost : null);
        }
    }

    /// <summary>What it serves.</summary>
    public FeedKind Feed { get; }

    /// <summary>The dialect in which the feed is read, where it is that of another server; null otherwise.</summary>
    public DialectDescription? Dialect => (_feed as DialectFeed)?.Description;

    /// <summary>When it was started (UTC).</summary>
    public DateTimeOffset StartTime { get; }

    /// <summary>Its root, with the port that is really bound.</summary>
    public Uri Uri => _host.GetUri(_endpoint);

    /// <summary>The root of the port that redirects; null when there is none.</summary>
    public Uri? RedirectUri => _redirect is null ? null : _host.GetUri(_redirect);

    /// <summary>The feed, in path style: a cursor is appended to it.</summary>
    public Uri FeedUri => new(Uri, _feed.Path);

    /// <summary>How many records the feed was given, removals included; 0 for feeds that take none.</summary>
    public int RecordCount => (_feed as IRecordFeed)?.RecordCount ?? 0;

    /// <summary>The newest requests, oldest first, open ones included; a copy of the list at this moment.</summary>
    public IReadOnlyList<TestRequest> Requests => _log.ToList();

    /// <summary>What the server does wrong on purpose.</summary>
    public FaultList Faults { get; }

    /// <summary>The clock of the feed, the faults and the scenarios.</summary>
    public TimeProvider Time { get; }

    /// <summary>The scenario that was started last; null before the first.</summary>
    public ScenarioRun? CurrentScenario { get; private set; }

    /// <summary>How many requests for the feed are being answered: the clients that are connected to an endless feed.</summary>
    public int ClientCount => _runner.OpenCount;

    /// <summary>How many records were sent since the start, to all clients together; heartbeats and control rows do not count.</summary>
    public long SentRecords => _runner.Sent.Records;

    /// <summary>How many bytes of bodies were sent since the start.</summary>
    public long SentBytes => _runner.Sent.Bytes;

    IEnumerable<TestRequest> IControlledServer.Connected => _runner.Open.OrderBy(request => request.Number);

    IReadOnlyList<ReadOnlyMemory<byte>> IControlledServer.Latest(int count) => (_feed as IRecordFeed)?.Latest(Math.Max(0, count)) ?? [];

    /// <summary>How many requests there were since the start.</summary>
    public long RequestCount => _log.Count;

    /// <summary>False once it was told to stop.</summary>
    public bool IsRunning => !_host.Stopping.IsCancellationRequested;

    /// <summary>Starts a server; when the task is done, it listens.</summary>
    /// <param name="options">What it is to be; null for the reference feed on port 4567.</param>
    /// <param name="timeProvider">Drives the feed's timers and the log's times; null for the system's.</param>
    /// <param name="cancellationToken">Gives up the start; it does not stop the server later.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or does not go with the feed.</exception>
    /// <exception cref="PortInUseException">A port is taken; port 0 never is.</exception>
    /// <exception cref="ListenException">The address cannot be listened on.</exception>
    /// <exception cref="InvalidRecordException">A record is not a JSON object.</exception>
    /// <exception cref="InvalidRecordingException">The file to replay is no recording.</exception>
    /// <exception cref="InvalidScenarioException">The scenario's file cannot be understood.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static async Task<LockstepTestServer> StartAsync(
        TestServerOptions? options = null,
        TimeProvider? timeProvider = null,
        CancellationToken cancellationToken = default
    )
    {
        options ??= new TestServerOptions();
        options.Validate();
        LockstepTestServer server = new(options, timeProvider ?? TimeProvider.System);
        if (server._feed is IRecordFeed records)
        {
            records.Add(options.Records.Select(ToUtf8), removes: false);
            if (options.RecordsFile is { } file)
                AddFile(records, file);
        }
        var scenario = options.ScenarioFile is { } script ? Scenario.Load(script) : null;
        HttpEndpoint[] endpoints = server._redirect is null ? [server._endpoint] : [server._endpoint, server._redirect];
        server._host = await HttpHost.StartAsync(endpoints, Unlimited, cancellationToken).ConfigureAwait(false);
        if (scenario is not null)
            server.StartScenario(scenario);
        return server;
    }

    /// <summary>
    /// Adds a record to the feed; clients that are connected to an endless answer, or that wait for a change, get it at once. In the
    /// dialects of other servers a record of a known key is a change of it, and one that says <c>deleted_at</c>, <c>"deleted":true</c> or
    /// what the dialect says is a removal.
    /// </summary>
    /// <param name="json">A JSON object.</param>
    /// <exception cref="InvalidRecordException">It is not one, or lacks its key.</exception>
    /// <exception cref="InvalidOperationException">The server's feed does not accept records.</exception>
    public void AddRecord(string json) => AddRecords([json]);

    /// <summary>Adds a record to the feed, in the scripted one byte for byte as it is given.</summary>
    /// <param name="utf8Json">A JSON object in UTF-8.</param>
    /// <exception cref="InvalidRecordException">It is not one, or lacks its key.</exception>
    /// <exception cref="InvalidOperationException">The server's feed does not accept records.</exception>
    public void AddRecord(ReadOnlyMemory<byte> utf8Json) => Taking.Add([utf8Json], removes: false);

    /// <summary>Adds records to the feed as one set of updates: nobody sees a part of them before the rest is there.</summary>
    /// <param name="json">JSON objects.</param>
    /// <exception cref="InvalidRecordException">One is no record of the feed; those before it were added.</exception>
    /// <exception cref="InvalidOperationException">The server's feed does not accept records.</exception>
    public void AddRecords(IEnumerable<string> json)
    {
        ArgumentNullException.ThrowIfNull(json);
        Taking.Add([.. json.Select(ToUtf8)], removes: false);
    }

    /// <summary>Removes a record from a feed in another server's dialect, which says so in its own way.</summary>
    /// <param name="utf8Json">A JSON object with the record's key, in UTF-8.</param>
    /// <exception cref="InvalidRecordException">It is none, or lacks its key.</exception>
    /// <exception cref="InvalidOperationException">The server's feed takes no records, or is the scripted one, whose records say it
    /// themselves.</exception>
    public void RemoveRecord(ReadOnlyMemory<byte> utf8Json) => Taking.Add([utf8Json], removes: true);

    /// <inheritdoc cref="RemoveRecord(ReadOnlyMemory{byte})"/>
    /// <param name="json">A JSON object with the record's key.</param>
    public void RemoveRecord(string json) => RemoveRecord(ToUtf8(json));

    /// <summary>
    /// Has a heartbeat sent to every client of an endless answer whose request has come, now; to one that is still being sent records,
    /// after these.
    /// </summary>
    /// <param name="kind">What it looks like in the scripted feed; <see cref="HeartbeatKind.Auto"/> for the feed's own.</param>
    /// <exception cref="InvalidOperationException">The server's feed does not accept records.</exception>
    public void SendHeartbeat(HeartbeatKind kind = HeartbeatKind.Auto) => Taking.SendHeartbeat(kind, _log.Count);

    /// <summary>Cuts off every response that is being sent; the server goes on.</summary>
    /// <returns>How many there were.</returns>
    public int CloseConnections(CutKind how = CutKind.Fin) => _runner.Close(how);

    /// <summary>
    /// Waits until every connected client of an endless answer has been sent all records that there are. A client that does not read makes
    /// it wait.
    /// </summary>
    /// <exception cref="OperationCanceledException">The waiting was cancelled.</exception>
    public Task WaitForDeliveryAsync(CancellationToken cancellationToken = default) =>
        _changed.WaitUntilAsync(() => _runner.Open.All(request => request.LivePosition >= RecordCount), cancellationToken);

    /// <summary>Starts a scenario; it runs on its own, and ends with the server.</summary>
    /// <exception cref="InvalidOperationException">Another one still runs.</exception>
    public ScenarioRun StartScenario(Scenario scenario)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        lock (_scenarioGate)
        {
            if (CurrentScenario is { State: ScenarioState.Running })
            {
                throw new InvalidOperationException(
                    "A scenario is already running. Wait for it to end, or combine the steps in one scenario."
                );
            }

            return CurrentScenario = new ScenarioRun(scenario, this, _host.Stopping);
        }
    }

    /// <summary>Waits until at least so many requests are being answered at the same time.</summary>
    /// <exception cref="OperationCanceledException">The waiting was cancelled.</exception>
    public Task WaitForClientsAsync(int count, CancellationToken cancellationToken = default) =>
        _changed.WaitUntilAsync(() => ClientCount >= count, cancellationToken);

    /// <summary>Waits until at least so many requests have come since the start, those to the redirecting port included.</summary>
    /// <exception cref="OperationCanceledException">The waiting was cancelled.</exception>
    public Task WaitForRequestsAsync(long count, CancellationToken cancellationToken = default) =>
        _changed.WaitUntilAsync(() => RequestCount >= count, cancellationToken);

    /// <summary>Stops listening and cuts off what is under way. May be called more than once.</summary>
    public Task StopAsync() => _host.StopAsync();

    /// <summary>The same as <see cref="StopAsync"/>.</summary>
    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private IRecordFeed Taking =>
        _feed as IRecordFeed
        ?? throw new InvalidOperationException(
            $"A server with the {Feed} feed does not accept records. Start one with the Scripted feed or a dialect's feed."
        );

    private static void AddFile(IRecordFeed feed, string file)
    {
        var number = 0;
        try
        {
            feed.Add(Lines(), removes: false);
        }
        catch (InvalidRecordException error)
        {
            throw new InvalidRecordException($"Line {number} of {file}: {error.Message}", error);
        }

        IEnumerable<ReadOnlyMemory<byte>> Lines()
        {
            foreach (var line in File.ReadLines(file))
            {
                number++;
                if (!string.IsNullOrWhiteSpace(line))
                    yield return ToUtf8(line);
            }
        }
    }

    private static ReadOnlyMemory<byte> ToUtf8(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        return Encoding.UTF8.GetBytes(json);
    }

    /// <summary>
    /// Points to the port that is really bound, on the host that was chosen or else the one that the client itself reached.
    /// </summary>
    private Task RedirectAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        UriBuilder target = new(Uri);
        if (_redirectHost is not null)
            target.Host = _redirectHost;
        else if (context.Connection.LocalIpAddress is { } reached)
            target.Host = reached.IsIPv4MappedToIPv6 ? reached.MapToIPv4().ToString() : reached.ToString();
        context.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
        context.Response.Headers.Location = target.Uri.GetLeftPart(UriPartial.Authority);
        return Task.CompletedTask;
    }
}
