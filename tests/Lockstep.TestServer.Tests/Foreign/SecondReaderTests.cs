using System.Diagnostics;
using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text.Json;
using k8s;
using k8s.Models;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Tests.Foreign;

/// <summary>Clients of other servers, from npm.</summary>
public sealed class NpmReaders() : NpmPackages("readers", "clients of other servers");

/// <summary>
/// Third-party clients of the real servers read the test server, and end with the same set: through changes, a closed connection and, if
/// they can recover from it, a cursor that is too old.
/// </summary>
public sealed class SecondReaderTests(NpmReaders npm) : IClassFixture<NpmReaders>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static string Record(string id, int v)
    {
        var text = v.ToString(CultureInfo.InvariantCulture);
        return $$$$"""{"id":"{{{{id}}}}","v":"{{{{text}}}}","metadata":{"name":"{{{{id}}}}","labels":{"v":"{{{{text}}}}"}}}""";
    }

    private static async Task<LockstepTestServer> StartAsync(FeedKind feed)
    {
        var options = new TestServerOptions
        {
            Port = 0,
            Feed = feed,
            Records = [Record("a", 1), Record("b", 2), Record("c", 3)],
        };
        options.DialectFeed.PageSize = 2;
        options.DialectFeed.LongestWait = TimeSpan.FromMilliseconds(500);
        return await LockstepTestServer.StartAsync(options, cancellationToken: Cancel);
    }

    [Theory]
    [InlineData("kubernetes", FeedKind.Kubernetes, true)] // @kubernetes/client-node, its informer
    [InlineData("shape", FeedKind.Shape, true)] // @electric-sql/client
    [InlineData("couch", FeedKind.CouchDb, false)] // nano, its changesReader
    [InlineData("events", FeedKind.EventStream, false)] // eventsource-parser
    [InlineData("durable", FeedKind.DurableStream, false)] // @durable-streams/client, by long polls
    [InlineData("durable", FeedKind.DurableStream, false, "sse")]
    public async Task A_client_of_npm_comes_to_the_same_set(string reader, FeedKind feed, bool goesOnAfterExpiry, string? way = null)
    {
        npm.Require();
        await using var server = await StartAsync(feed);
        using var client = new NodeReader(npm.Folder, reader, server.FeedUri, way);
        await client.ComesToAsync("""{"a":"1","b":"2","c":"3"}""");

        server.AddRecord(Record("a", 9));
        server.RemoveRecord(Record("b", 0));
        await client.ComesToAsync("""{"a":"9","c":"3"}""");

        if (goesOnAfterExpiry)
            server.Faults.Add(new CursorExpiredFault { Times = 1 });
        // npm's long-polling client mistakes a reset for an error of its own.
        if (feed is FeedKind.Kubernetes or FeedKind.EventStream)
            server.CloseConnections(CutKind.Fin);
        server.AddRecord(Record("d", 4));
        await client.ComesToAsync("""{"a":"9","c":"3","d":"4"}""");
    }

    [Fact]
    public async Task KubernetesClient_lists_in_pages_and_watches()
    {
        await using var server = await StartAsync(FeedKind.Kubernetes);
        using var client = new Kubernetes(new KubernetesClientConfiguration { Host = server.Uri.AbsoluteUri });

        var first = await client.CoreV1.ListPodForAllNamespacesAsync(limit: 2, cancellationToken: Cancel);
        var rest = await client.CoreV1.ListPodForAllNamespacesAsync(
            limit: 2,
            continueParameter: first.Continue(),
            cancellationToken: Cancel
        );
        Assert.Equal(["a", "b", "c"], first.Items.Concat(rest.Items).Select(pod => pod.Name()));

        server.AddRecord(Record("a", 9));
        server.RemoveRecord(Record("b", 0));
        server.AddRecord(Record("d", 4));
        List<string> events = [];
        await foreach (
            var (type, pod) in client.CoreV1.WatchListPodForAllNamespacesAsync(
                resourceVersion: rest.ResourceVersion(),
                timeoutSeconds: 1,
                cancellationToken: Cancel
            )
        )
        {
            events.Add($"{type} {pod.Name()} {pod.GetLabel("v")}");
        }

        Assert.Equal(["Modified a 9", "Deleted b 2", "Added d 4"], events);
    }

    [Fact]
    public async Task The_parser_of_dotnet_reads_the_same_events_whatever_the_chunks()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            await using var server = await StartAsync(FeedKind.EventStream);
            server.RemoveRecord(Record("b", 0));
            server.Faults.Add(new RechunkFault { Size = new Random(seed).Next(1, 60) });
            using var http = new HttpClient();
            List<string> events = [];

            await using var body = await http.GetStreamAsync(server.FeedUri, Cancel);
            await foreach (var item in SseParser.Create(body).EnumerateAsync(Cancel))
            {
                using var record = JsonDocument.Parse(item.Data);
                events.Add($"{item.EventId} {item.EventType} {record.RootElement.GetProperty("id")}");
                if (events.Count == 4)
                    break;
            }

            Assert.Equal(["event-1 message a", "event-2 message b", "event-3 message c", "event-4 delete b"], events);
        }
    }

    /// <summary>A node process that prints its idea of the set, line by line; ends with the test.</summary>
    private sealed class NodeReader : IDisposable
    {
        private readonly Process _process;
        private readonly Lock _gate = new();
        private readonly List<string> _errors = [];
        private string? _set;

        public NodeReader(string folder, string reader, Uri feed, string? way)
        {
            var start = new ProcessStartInfo("node")
            {
                WorkingDirectory = folder,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            foreach (var argument in (string[])["reader.mjs", reader, feed.AbsoluteUri, .. way is null ? (string[])[] : [way]])
                start.ArgumentList.Add(argument);
            _process = Process.Start(start)!;
            _process.OutputDataReceived += (_, line) =>
            {
                lock (_gate)
                    _set = line.Data ?? _set;
            };
            _process.ErrorDataReceived += (_, line) =>
            {
                lock (_gate)
                    _errors.Add(line.Data ?? "");
            };
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public async Task ComesToAsync(string set)
        {
            await Eventually.TrueAsync(() => _process.HasExited || Now() == set, $"{set}; it is {Now()}");
            Assert.True(Now() == set, $"It ended with {Now()}: {string.Join(' ', _errors)}");
        }

        public void Dispose()
        {
            if (!_process.HasExited)
                _process.Kill(entireProcessTree: true);
            _process.Dispose();
        }

        private string? Now()
        {
            lock (_gate)
                return _set;
        }
    }
}
