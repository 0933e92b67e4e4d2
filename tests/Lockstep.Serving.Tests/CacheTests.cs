using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Lockstep.Testing;

namespace Lockstep.Serving.Tests;

/// <summary>nginx in front of a feed server, with the configuration in <c>deploy/</c>.</summary>
public sealed class CacheTests : IDisposable
{
    private static readonly string? Nginx = Find("nginx");

    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Many_clients_that_load_a_snapshot_cost_the_server_each_page_once()
    {
        var source = new ScriptedSource("items");
        await using var server = await FeedServer.StartAsync([source], new FeedServerOptions(), null, Cancel);
        await using var cache = await StartAsync(server.Uri);

        var snapshots = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => LoadAsync(cache.Client)));

        Assert.All(snapshots, lines => Assert.Equal([ScriptedSource.Row(1), ScriptedSource.Row(2)], lines));
        Assert.Equal(2, source.PagesRead);
    }

    [Fact]
    public async Task What_needs_a_credential_is_not_kept_for_others()
    {
        var source = new ScriptedSource("items");
        var options = new FeedServerOptions { Credentials = [FeedCredential.Bearer("right")] };
        await using var server = await FeedServer.StartAsync([source], options, null, Cancel);
        await using var cache = await StartAsync(server.Uri);

        const string Page = "items/pages?feed=source-1&horizon=9";
        cache.Client.DefaultRequestHeaders.Authorization = new("Bearer", "right");
        await cache.Client.GetStringAsync(Page, Cancel);
        await cache.Client.GetStringAsync(Page, Cancel);
        Assert.Equal(2, source.PagesRead);

        cache.Client.DefaultRequestHeaders.Authorization = null;
        using var refused = await cache.Client.GetAsync(Page, Cancel);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task A_stream_passes_at_once()
    {
        var source = new ScriptedSource("items");
        source.Chunks.Add(ScriptedSource.Chunk(Engine.Serving.FeedChunkKind.Rows, 1, ScriptedSource.Row(1)));
        await using var server = await FeedServer.StartAsync([source], new FeedServerOptions(), null, Cancel);
        await using var cache = await StartAsync(server.Uri);

        using var stream = new StreamReader(await cache.Client.GetStreamAsync("items/0", Cancel));
        Assert.Equal(ScriptedSource.Row(1), await stream.ReadLineAsync(Cancel));
    }

    [Fact]
    public async Task Many_clients_that_follow_cost_the_server_each_page_of_updates_once()
    {
        var source = new ScriptedSource("items");
        source.Chunks.Add(ScriptedSource.Chunk(Engine.Serving.FeedChunkKind.CaughtUp, 9));
        source.Later = ScriptedSource.Chunk(Engine.Serving.FeedChunkKind.CaughtUp, 10, ScriptedSource.Row(10));
        await using var server = await FeedServer.StartAsync([source], new FeedServerOptions { ShareUpdates = true }, null, Cancel);
        await using var cache = await StartAsync(server.Uri);
        using var request = new HttpRequestMessage(HttpMethod.Get, "items?since=5") { Headers = { { "Lockstep-Follow", "pages" } } };
        using var answer = await cache.Client.SendAsync(request, Cancel);
        var next = answer.Headers.GetValues("Link").Single().Split('<', '>')[1];

        // The page that has ended, and then the one that ends once all clients wait for it.
        var page = next[..(next.LastIndexOf('=') + 1)];
        await cache.Client.GetStringAsync(page + "0", Cancel);
        var waiting = Enumerable.Range(0, 100).Select(_ => cache.Client.GetAsync(page + "1", Cancel)).ToList();
        await Eventually.TrueAsync(() => cache.Connections >= 100);
        source.MoveOn();
        var answers = await Task.WhenAll(waiting);

        Assert.All(answers, each => Assert.Equal(HttpStatusCode.OK, each.StatusCode));
        Assert.Equal(1, answers.Count(each => each.Headers.GetValues("X-Cache-Status").Single() == "MISS"));
        Assert.Equal(99, answers.Count(each => each.Headers.GetValues("X-Cache-Status").Single() == "HIT"));
        var bodies = await Task.WhenAll(answers.Select(each => each.Content.ReadAsStringAsync(Cancel)));
        Assert.StartsWith(ScriptedSource.Row(10) + "\n", Assert.Single(bodies.Distinct()), StringComparison.Ordinal);
    }

    /// <summary>The rows of all pages.</summary>
    private static async Task<List<string>> LoadAsync(HttpClient client)
    {
        var rows = new List<string>();
        for (var address = "items/pages"; address is not null; )
        {
            using var page = await client.GetAsync(address, Cancel);
            page.EnsureSuccessStatusCode();
            rows.AddRange(
                (await page.Content.ReadAsStringAsync(Cancel))
                    .Split('\n')
                    .Where(line => line.Contains("\"data\"", StringComparison.Ordinal))
            );
            address = page.Headers.TryGetValues("Link", out var links) ? links.Single().Split('<', '>')[1] : null;
        }

        return rows;
    }

    private async Task<Cache> StartAsync(Uri server)
    {
        Assert.SkipWhen(Nginx is null, "No nginx on PATH.");
        var socket = _folder["nginx.sock"];
        var site = (await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "nginx.conf"), Cancel))
            .Replace("127.0.0.1:4567", $"{server.Host}:{server.Port}", StringComparison.Ordinal)
            .Replace("listen 8080;", $"listen unix:{socket};", StringComparison.Ordinal)
            .Replace("/var/cache/nginx/lockstep", _folder["cache"], StringComparison.Ordinal);
        await File.WriteAllTextAsync(
            _folder["nginx.conf"],
            $$"""
            {{(Environment.UserName == "root" ? "user root;" : "")}}
            daemon off;
            worker_processes 1;
            pid {{_folder["nginx.pid"]}};
            error_log {{_folder["error.log"]}};
            events { worker_connections 1024; }
            http {
                access_log off;
                client_body_temp_path {{_folder["body"]}};
                proxy_temp_path {{_folder["proxy"]}};
                fastcgi_temp_path {{_folder["fastcgi"]}};
                uwsgi_temp_path {{_folder["uwsgi"]}};
                scgi_temp_path {{_folder["scgi"]}};
            {{site}}
            }
            """,
            Cancel
        );
        var start = new ProcessStartInfo(Nginx!, ["-p", _folder.Path, "-c", _folder["nginx.conf"]]) { RedirectStandardError = true };
        var cache = new Cache(Process.Start(start)!, socket);
        // The file exists a moment before nginx listens.
        await Eventually.TrueAsync(() => Listens(socket));
        return cache;
    }

    private static bool Listens(string socket)
    {
        using var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            connection.Connect(new UnixDomainSocketEndPoint(socket));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator)
            .Append("/usr/sbin")
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);

    /// <summary>A running nginx, and a client of it.</summary>
    private sealed class Cache : IAsyncDisposable
    {
        private readonly Process _process;
        private int _connections;

        public Cache(Process process, string socket)
        {
            _process = process;
            var handler = new SocketsHttpHandler
            {
                ConnectCallback = async (_, cancellationToken) =>
                {
                    var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellationToken);
                    Interlocked.Increment(ref _connections);
                    return new NetworkStream(connection, ownsSocket: true);
                },
            };
            Client = new HttpClient(handler) { BaseAddress = new Uri("http://localhost/") };
        }

        public HttpClient Client { get; }

        /// <summary>How many the client has opened.</summary>
        public int Connections => Volatile.Read(ref _connections);

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
            _process.Dispose();
        }
    }
}
