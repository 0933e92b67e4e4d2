using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep serve with an OpenTelemetry collector.</summary>
public sealed class OtlpTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_collector_that_the_environment_names_gets_the_metrics()
    {
        await using (var feed = new TextFeed("""{"id":1,"updated_at":1}"""))
            Assert.Equal(0, await Program.RunAsync(["sync", feed.Uri, "--path", _folder["servers.db"], "-q"]));
        await using var collector = new Collector();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Uri,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "100",
        };
        await using var server = await ServeService.StartAsync(_folder.Path, environment, "--path", "servers.db", "--port", "0");
        using var client = new HttpClient();
        using var body = await client.GetStreamAsync(new Uri(server.Uri, "servers"), Cancel);

        await Eventually.TrueAsync(() =>
            collector.Bodies.Any(text =>
                text.Contains("lockstep.serving.sent", StringComparison.Ordinal) && text.Contains("servers", StringComparison.Ordinal)
            )
        );
        Assert.Equal("/v1/metrics", Assert.Single(collector.Paths.Distinct()));
        Assert.Equal(0, await server.TerminateAsync());
    }

    /// <summary>Accepts what is posted to it.</summary>
    private sealed class Collector : IAsyncDisposable
    {
        private readonly HttpListener _listener;
        private readonly Task _serving;

        public Collector()
        {
            // HttpListener cannot pick a free port itself.
            for (var attempt = 0; ; attempt++)
            {
                Uri = $"http://127.0.0.1:{PostgresServer.FreePort()}/";
                _listener = new HttpListener { Prefixes = { Uri } };
                try
                {
                    _listener.Start();
                    break;
                }
                catch (HttpListenerException) when (attempt < 10)
                {
                    // Another test was faster.
                }
            }

            _serving = ServeAsync();
        }

        public string Uri { get; }

        public ConcurrentQueue<string> Paths { get; } = [];

        /// <summary>The bodies; names in them are plain text.</summary>
        public ConcurrentQueue<string> Bodies { get; } = [];

        public async ValueTask DisposeAsync()
        {
            _listener.Close();
            await _serving;
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body);
                    Paths.Enqueue(context.Request.Url!.AbsolutePath);
                    Bodies.Enqueue(Encoding.Latin1.GetString(body.ToArray()));
                    context.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                // The test is over.
            }
        }
    }
}
