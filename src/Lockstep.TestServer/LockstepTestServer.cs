using System.Globalization;
using System.Text;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Hosting;
using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer;

/// <summary>A feed server for tests and for trying things out, in this process. Thread-safe. Stop or dispose it; it ends within a second, also with endless responses under way.</summary>
public sealed class LockstepTestServer : IAsyncDisposable
{
    private readonly IFeed _feed;
    private readonly RequestLog _log;
    private readonly HttpEndpoint _endpoint;
    private readonly HttpEndpoint? _redirect;
    private HttpHost _host = null!;

    private LockstepTestServer(TestServerOptions options, TimeProvider time)
    {
        Feed = options.Feed;
        StartTime = time.GetUtcNow();
        _log = new RequestLog(options.RequestLogCapacity, time);
        _feed = options.Feed switch
        {
            FeedKind.Reference => new ReferenceFeed(time),
            FeedKind.Finite => new FiniteFeed(),
            FeedKind.Scripted => new ScriptedFeed(options.Scripted, time),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Feed, "There is no such feed."),
        };
        _endpoint = new HttpEndpoint { Address = options.ListenAddress, Port = options.Port, Certificate = options.Certificate };
        _endpoint.Routes.Add("/", context => LogAsync(context, _feed.ServeAsync));
        if (options.EffectiveRedirectPort is { } port)
        {
            _redirect = new HttpEndpoint { Address = options.ListenAddress, Port = port, Certificate = options.Certificate };
            _redirect.Routes.Add("/", context => LogAsync(context, RedirectAsync));
        }
    }

    /// <summary>What it serves.</summary>
    public FeedKind Feed { get; }

    /// <summary>When it was started (UTC).</summary>
    public DateTimeOffset StartTime { get; }

    /// <summary>Its root, with the port that is really bound.</summary>
    public Uri Uri => _host.GetUri(_endpoint);

    /// <summary>The root of the port that redirects; null when there is none.</summary>
    public Uri? RedirectUri => _redirect is null ? null : _host.GetUri(_redirect);

    /// <summary>The feed, in path style: a cursor is appended to it.</summary>
    public Uri FeedUri => new(Uri, _feed.Path);

    /// <summary>How many records the scripted feed holds; 0 for the others.</summary>
    public int RecordCount => (_feed as ScriptedFeed)?.Log.Count ?? 0;

    /// <summary>The newest requests, oldest first, open ones included; a copy of the list at this moment.</summary>
    public IReadOnlyList<TestRequest> Requests => _log.ToList();

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
    /// <exception cref="IOException">The records' file cannot be read.</exception>
    public static async Task<LockstepTestServer> StartAsync(TestServerOptions? options = null, TimeProvider? timeProvider = null, CancellationToken cancellationToken = default)
    {
        options ??= new TestServerOptions();
        options.Validate();
        LockstepTestServer server = new(options, timeProvider ?? TimeProvider.System);
        if (server._feed is ScriptedFeed scripted)
        {
            scripted.Add(options.Records.Select(ToUtf8));
            if (options.RecordsFile is { } file)
                scripted.Add(NdjsonFile.Read(file));
        }
        HttpEndpoint[] endpoints = server._redirect is null ? [server._endpoint] : [server._endpoint, server._redirect];
        server._host = await HttpHost.StartAsync(endpoints, cancellationToken).ConfigureAwait(false);
        return server;
    }

    /// <summary>Adds a record to the scripted feed; clients that are connected to an endless one get it at once.</summary>
    /// <param name="json">A JSON object.</param>
    /// <exception cref="InvalidRecordException">It is not one.</exception>
    /// <exception cref="InvalidOperationException">The server has another feed.</exception>
    public void AddRecord(string json) => AddRecords([json]);

    /// <summary>Adds a record to the scripted feed, byte for byte as it is given.</summary>
    /// <param name="utf8Json">A JSON object in UTF-8.</param>
    /// <exception cref="InvalidRecordException">It is not one.</exception>
    /// <exception cref="InvalidOperationException">The server has another feed.</exception>
    public void AddRecord(ReadOnlyMemory<byte> utf8Json) => Scripted.Add([utf8Json]);

    /// <summary>Adds records to the scripted feed as one set of updates: nobody sees a part of them before the rest is there.</summary>
    /// <param name="json">JSON objects.</param>
    /// <exception cref="InvalidRecordException">One is not a JSON object; those before it were added.</exception>
    /// <exception cref="InvalidOperationException">The server has another feed.</exception>
    public void AddRecords(IEnumerable<string> json)
    {
        ArgumentNullException.ThrowIfNull(json);
        Scripted.Add([.. json.Select(ToUtf8)]);
    }

    /// <summary>Stops listening and cuts off what is under way. May be called more than once.</summary>
    public Task StopAsync() => _host.StopAsync();

    /// <summary>The same as <see cref="StopAsync"/>.</summary>
    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private ScriptedFeed Scripted => _feed as ScriptedFeed
        ?? throw new InvalidOperationException($"A server with the {Feed} feed takes no records. Start one with the Scripted feed.");

    private static ReadOnlyMemory<byte> ToUtf8(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        return Encoding.UTF8.GetBytes(json);
    }

    private async Task LogAsync(HttpContext context, Func<HttpContext, TestRequest, CancellationToken, Task> serveAsync)
    {
        CancellationToken stopping = _host.Stopping;
        TestRequest log = _log.Begin(context.Request, RequestCursor.Of(context.Request));
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        try
        {
            await serveAsync(context, log, either.Token).ConfigureAwait(false);
            log.Status = context.Response.StatusCode;
            log.End(RequestEnding.Completed);
        }
        catch (Exception error) when (error is OperationCanceledException or ConnectionAbortedException or ConnectionResetException)
        {
            log.End(stopping.IsCancellationRequested ? RequestEnding.ServerStopped : RequestEnding.ClientClosed);
            // A stopped feed must look cut off and not whole: the end of a body can complete a snapshot (I6).
            context.Abort();
        }
        catch (Exception error)
        {
            log.Status = StatusCodes.Status500InternalServerError;
            log.End(RequestEnding.Failed, error.Message);
            throw;
        }
    }

    /// <summary>Points to the address that is really bound. When that is a wildcard, to the one that the client itself reached.</summary>
    private Task RedirectAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        UriBuilder target = new(Uri);
        if (context.Connection.LocalIpAddress is { } reached)
            target.Host = reached.IsIPv4MappedToIPv6 ? reached.MapToIPv4().ToString() : reached.ToString();
        context.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
        context.Response.Headers.Location = target.Uri.GetLeftPart(UriPartial.Authority);
        return Task.CompletedTask;
    }
}
