using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>The servers of other dialects that npm offers.</summary>
public sealed class NpmPeers() : NpmPackages("peers", "servers of other dialects");

/// <summary>What third-party servers really answer, if npm can install them.</summary>
public sealed class RealServerTests(NpmPeers npm) : SyncTest, IClassFixture<NpmPeers>
{
    private readonly HttpClient _http = new();

    protected override void Dispose(bool disposing)
    {
        _http.Dispose();
        base.Dispose(disposing);
    }

    [Fact]
    public async Task PouchDB_Server_is_followed_through_changes_and_deletions()
    {
        await using var server = await PeerAsync("pouch");
        await SendAsync(HttpMethod.Put, server, "db");
        for (var i = 0; i < 5; i++)
            await SendAsync(HttpMethod.Put, server, $"db/d{i}", $"{{\"n\":{i}}}");

        var first = await SyncAsync(server, "db/_changes?limit=2");
        var revision = (await SendAsync(HttpMethod.Get, server, "db/d1")).Split("\"_rev\":\"")[1].Split('"')[0];
        await SendAsync(HttpMethod.Delete, server, "db/d1?rev=" + revision);
        await SendAsync(HttpMethod.Put, server, "db/e", "{\"n\":9}");
        var second = await SyncAsync(server, "db/_changes?limit=2");

        Assert.Equal(("5 0 0", "1 0 1"), (first, second));
        Assert.Equal(["d0", "d2", "d3", "d4", "e"], Keys);
    }

    [Fact]
    public async Task A_durable_stream_is_read_on_and_read_again_when_it_was_made_again()
    {
        await using var server = await PeerAsync("durable");
        await SendAsync(HttpMethod.Put, server, "log");
        await SendAsync(HttpMethod.Post, server, "log", """[{"id":1,"v":1},{"id":2,"v":1}]""");
        var first = await SyncAsync(server, "log");
        await SendAsync(HttpMethod.Post, server, "log", """[{"id":1,"v":2}]""");
        var second = await SyncAsync(server, "log");
        await SendAsync(HttpMethod.Delete, server, "log");
        await SendAsync(HttpMethod.Put, server, "log");
        await SendAsync(HttpMethod.Post, server, "log", """[{"id":9,"v":9}]""");
        var third = await SyncAsync(server, "log");

        Assert.Equal(("2 0 0", "0 1 0", "1 0 0"), (first, second, third));
        Assert.Equal(["1", "2", "9"], Keys);
    }

    [Fact]
    public async Task Json_server_is_read_in_pages_and_what_it_lacks_later_is_gone()
    {
        const string Pages = """{ "From": "Rest", "Next": { "_page": "page:" }, "Snapshot": { "Query": { "_limit": "2" } } }""";
        await using var server = await PeerAsync("json");
        for (var i = 1; i <= 5; i++)
            await SendAsync(HttpMethod.Post, server, "items", $"{{\"id\":{i},\"v\":\"{i}\"}}");

        var first = await SyncAsync(server, "items", Pages);
        await SendAsync(HttpMethod.Delete, server, "items/2");
        await SendAsync(HttpMethod.Patch, server, "items/3", "{\"v\":\"new\"}");
        var second = await SyncAsync(server, "items", Pages);
        var links = await SyncAsync(server, "items?_page=1&_limit=2", Pages);

        Assert.Equal(("5 0 0", "0 1 1", "0 0 0"), (first, second, links));
    }

    [Fact]
    public async Task An_event_stream_of_better_sse_goes_on_from_the_last_event_after_a_cut()
    {
        await using var server = await PeerAsync("events");
        await SendAsync(HttpMethod.Post, server, "events", """{"id":1,"v":1}""");
        await SendAsync(HttpMethod.Post, server, "events", """{"id":2,"v":"a\nb\r\nc"}""");

        var first = await SyncAsync(server, "events");
        await SendAsync(HttpMethod.Post, server, "events?type=delete", """{"id":1}""");
        await SendAsync(HttpMethod.Post, server, "events", """{"id":3,"v":3}""");
        var second = await SyncAsync(server, "events");

        // A sync that follows: its connection is cut, and what arrives meanwhile is not lost.
        var hasBegun = false;
        var following = SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Uri, "events") },
                Store = new FileTableStore(TablePath),
                FollowFor = TimeSpan.FromMinutes(2),
                WantsChanges = true,
                RetryInterval = TimeSpan.FromMilliseconds(20),
            },
            step =>
            {
                hasBegun |= step is FeedEventOccurred { Event.Kind: FeedEventKind.Connect };
                if (step is ChangesCommitted { Changes: var changes } && changes.Any(c => c.Key.ToString() == "5"))
                    throw new OperationCanceledException("It has all.");
            }
        );
        await Eventually.TrueAsync(() => hasBegun, "It is connected");
        await SendAsync(HttpMethod.Post, server, "events", """{"id":4,"v":4}""");
        await SendAsync(HttpMethod.Delete, server, "events");
        await SendAsync(HttpMethod.Post, server, "events?type=delete", """{"id":2}""");
        await SendAsync(HttpMethod.Post, server, "events", """{"id":5,"v":5}""");
        await Assert.ThrowsAsync<OperationCanceledException>(() => following);

        Assert.Equal(("2 0 0", "1 0 1"), (first, second));
        Assert.Equal(["3", "4", "5"], Keys);
    }

    [Theory]
    [InlineData("pouch", "db/_changes", null)]
    [InlineData("durable", "log", """{ "From": "DurableStream", "Deleted": "deleted" }""")]
    [InlineData("json", "items", "Rest")]
    [InlineData("events", "events", "EventStream")]
    public async Task A_server_that_changes_all_the_time_is_followed(string kind, string path, string? dialect)
    {
        await using var server = await PeerAsync(kind);
        if (kind is "pouch" or "durable")
            await SendAsync(HttpMethod.Put, server, path.Split('/')[0]);
        var random = new Random(4);
        var truth = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (var change = 0; change < 10; change++)
            await ChangeAsync(server, kind, truth, random, change);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var following = Task.Run(() => FollowAsync(server, path, dialect, stop.Token), Cancellation);
        await EqualsAsync(following, truth);

        for (var round = 0; round < 4; round++)
        {
            for (var change = 0; change < 25; change++)
                await ChangeAsync(server, kind, truth, random, 100 * (round + 1) + change);
            if (kind == "events")
                await SendAsync(HttpMethod.Delete, server, path);
            await EqualsAsync(following, truth);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
    }

    /// <summary>Adds, changes or deletes a record.</summary>
    private async Task ChangeAsync(Peer server, string kind, SortedDictionary<string, string> truth, Random random, int value)
    {
        var id = $"k{random.Next(12)}";
        var isKnown = truth.ContainsKey(id);
        var isRemoval = isKnown && random.Next(3) == 0;
        var record = $$"""{"id":"{{id}}","v":{{value}}}""";
        switch (kind)
        {
            case "pouch":
                var revision = isKnown ? (await SendAsync(HttpMethod.Get, server, $"db/{id}")).Split("\"_rev\":\"")[1].Split('"')[0] : null;
                var suffix = revision is null ? "" : $"?rev={revision}";
                if (isRemoval)
                    await SendAsync(HttpMethod.Delete, server, $"db/{id}{suffix}");
                else
                    await SendAsync(HttpMethod.Put, server, $"db/{id}{suffix}", record);
                break;
            case "durable":
                await SendAsync(
                    HttpMethod.Post,
                    server,
                    "log",
                    $"[{(isRemoval ? record.Replace("}", ",\"deleted\":true}", StringComparison.Ordinal) : record)}]"
                );
                break;
            case "json":
                if (isRemoval)
                    await SendAsync(HttpMethod.Delete, server, $"items/{id}");
                else if (isKnown)
                    await SendAsync(HttpMethod.Put, server, $"items/{id}", record);
                else
                    await SendAsync(HttpMethod.Post, server, "items", record);
                break;
            default:
                await SendAsync(HttpMethod.Post, server, isRemoval ? "events?type=delete" : "events", record);
                break;
        }

        if (isRemoval)
            truth.Remove(id);
        else
            truth[id] = $"{value}";
    }

    private async Task FollowAsync(Peer server, string path, string? dialect, CancellationToken cancellationToken)
    {
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = new Uri(server.Uri, path) },
            Store = new FileTableStore(TablePath),
            Foreign =
                dialect is null ? null
                : dialect.StartsWith('{') ? DialectDescription.Parse(dialect, "test")
                : DialectDescription.Load(dialect),
            Follow = true,
            Settle = TimeSpan.FromMilliseconds(200),
            RetryInterval = TimeSpan.FromMilliseconds(20),
            PollInterval = TimeSpan.FromMilliseconds(20),
        };
        await foreach (var step in new TableSync(options).RunAsync(cancellationToken))
            _ = step;
    }

    private async Task EqualsAsync(Task following, SortedDictionary<string, string> truth)
    {
        var expected = string.Join(' ', truth.Select(pair => $"{pair.Key}={pair.Value}"));
        try
        {
            await Eventually.TrueAsync(() => following.IsCompleted || Values() == expected);
        }
        catch (Xunit.Sdk.TrueException)
        {
            // What it has instead says more than that it took too long.
            Assert.Equal(expected, Values());
        }

        Assert.False(following.IsCompleted, $"{following.Exception}");
    }

    /// <summary>What the table holds; null while it is being created.</summary>
    private string? Values()
    {
        try
        {
            return File.Exists(TablePath)
                ? string.Join(' ', SyncRun.Read(TablePath).Select(pair => $"{pair.Key}={JsonNode.Parse(pair.Value)!["v"]}"))
                : null;
        }
        catch (LockstepException)
        {
            return null;
        }
    }

    private async Task<string> SyncAsync(Peer server, string path, string? dialect = null)
    {
        var run = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Uri, path) },
                Store = new FileTableStore(TablePath),
                Foreign = dialect is null ? null : DialectDescription.Parse(dialect, "test"),
            }
        );
        return string.Create(CultureInfo.InvariantCulture, $"{run.Result.Added} {run.Result.Updated} {run.Result.Deleted}");
    }

    private async Task<string> SendAsync(HttpMethod method, Peer server, string path, string? json = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(server.Uri, path));
        if (json is not null || method == HttpMethod.Put)
            request.Content = new StringContent(json ?? "", Encoding.UTF8, "application/json");
        using var response = await _http.SendAsync(request, Cancellation);
        var text = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {(int)response.StatusCode} {text}");
        return text;
    }

    private async Task<Peer> PeerAsync(string kind)
    {
        npm.Require();
        var process = Process.Start(
            new ProcessStartInfo("node", ["server.mjs", kind])
            {
                WorkingDirectory = npm.Folder,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            }
        )!;
        try
        {
            while (await process.StandardOutput.ReadLineAsync(Cancellation) is { } line)
            {
                if (line.StartsWith("URL ", StringComparison.Ordinal))
                    return new Peer(process, new Uri(line[4..].TrimEnd('/') + "/"));
            }

            throw new InvalidOperationException($"The server '{kind}' ended.");
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            process.Dispose();
            throw;
        }
    }

    private sealed class Peer(Process process, Uri uri) : IAsyncDisposable
    {
        public Uri Uri => uri;

        public async ValueTask DisposeAsync()
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }
    }
}
