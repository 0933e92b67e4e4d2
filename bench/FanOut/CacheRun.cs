using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Lockstep.Bench.EndToEnd;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Bench.FanOut;

/// <summary>
/// New clients, each with its own connection, that load a table in pages from <c>lockstep serve</c>: directly, and through nginx with the
/// configuration in <c>deploy/</c>. How much work the cache spares the server is counted from nginx's own log.
/// </summary>
internal static class CacheRun
{
    /// <summary>How many connect per second.</summary>
    private const int Arrivals = 4000;

    public static async Task RunAsync(int clients, int rows)
    {
        var nginx = FindNginx();
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        try
        {
            var table = Path.Combine(folder.FullName, "items.db");
            var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, WireNames.DefaultOrderField));
            using (var writer = TableWriter.Open(table, "items", WriterLock.Take(table)))
                RelayRun.Commit(writer, parser, 0, rows, order: 1);
            Console.WriteLine($"{clients:N0} new clients, {Arrivals:N0} in a second, {rows:N0} rows for each.\n");
            Console.WriteLine(
                "| way | requests | of the server | request ratio | the server's processor s | processor ratio | nginx's processor s | "
                    + "all done after s |"
            );
            Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
            Result straight,
                cached;
            using (var server = new Server(table, clients))
            {
                var run = await LoadAsync(server.Feed, clients, rows);
                straight = run with { AtServer = run.Requests, ServerCpu = server.Cpu };
            }

            using (var server = new Server(table, clients))
            using (var cache = new Cache(nginx, folder.FullName, server.Feed, clients))
            {
                var run = await LoadAsync(cache.Feed, clients, rows);
                cached = run with { AtServer = cache.AtServer, ServerCpu = server.Cpu, CacheCpu = cache.Cpu };
            }

            Tell("lockstep behind nginx", cached);
            Tell("straight", straight);
            void Tell(string name, Result result) =>
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {name} | {result.Requests:N0} | {result.AtServer:N0} | {(double)result.AtServer / straight.AtServer:0.0000} | "
                            + $"{result.ServerCpu:0.00} | {result.ServerCpu / straight.ServerCpu:0.000} | {result.CacheCpu:0.00} | "
                            + $"{result.Seconds:0.0} |"
                    )
                );
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>All clients load the table; each must get all of it.</summary>
    private static async Task<Result> LoadAsync(Uri feed, int clients, int rows)
    {
        using var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            MaxConnectionsPerServer = clients,
            ConnectTimeout = TimeSpan.FromMinutes(1),
        };
        using var client = new HttpClient(handler) { Timeout = TimeSpan.FromMinutes(5) };
        var requests = 0L;
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(LoadOneAsync));
        return new Result(requests, 0, 0, 0, Stopwatch.GetElapsedTime(began).TotalSeconds);

        async Task LoadOneAsync(int number)
        {
            await Task.Delay(TimeSpan.FromSeconds((double)number / Arrivals));
            var got = 0;
            for (var address = new Uri(feed, $"{feed.AbsolutePath.TrimEnd('/')}/pages"); address is not null; )
            {
                Interlocked.Increment(ref requests);
                using var page = await client.GetAsync(address);
                if (page.StatusCode == HttpStatusCode.TemporaryRedirect)
                {
                    address = new Uri(feed, page.Headers.Location!);
                    continue;
                }

                page.EnsureSuccessStatusCode();
                got += (await page.Content.ReadAsByteArrayAsync()).AsSpan().Count("\"ip\":"u8);
                address = page.Headers.TryGetValues("Link", out var links) ? new Uri(feed, links.Single().Split('<', '>')[1]) : null;
            }

            if (got != rows)
                throw new InvalidDataException($"A client got {got} rows instead of {rows}.");
        }
    }

    /// <summary>
    /// Clients that follow a table: through nginx with shared pages, and directly with a stream for each. A record's latency counts from
    /// the end of its commit; its order value says when that was.
    /// </summary>
    public static async Task FollowAsync(int clients, int rate, int seconds)
    {
        var nginx = FindNginx();
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        try
        {
            var table = Path.Combine(folder.FullName, "items.db");
            var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, WireNames.DefaultOrderField));
            using var writer = TableWriter.Open(table, "items", WriterLock.Take(table));
            RelayRun.Commit(writer, parser, 0, 1000, order: 1);
            Console.WriteLine($"\n{clients:N0} followers, {rate:N0} commits of one record in a second, {seconds} s measured.\n");
            Console.WriteLine(
                "| way | requests/s | of the server/s | the server's processor s/s | nginx's processor s/s | the clients' processor s/s | "
                    + "p50 ms | p99 ms |"
            );
            Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
            using (var server = new Server(table, clients, "--share-updates"))
            using (var cache = new Cache(nginx, folder.FullName, server.Feed, clients))
                await MeasureAsync("shared pages behind nginx", cache.Feed, server, cache);
            using (var server = new Server(table, clients))
                await MeasureAsync("a stream for each", server.Feed, server, null);

            async Task MeasureAsync(string name, Uri feed, Server server, Cache? cache)
            {
                using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = clients + 10 })
                {
                    Timeout = Timeout.InfiniteTimeSpan,
                };
                using var stop = new CancellationTokenSource();
                var tally = new Tally();
                var since = writer.State.Sequence;
                Task[] followers =
                [
                    .. Enumerable.Range(0, clients).Select(number => FollowOneAsync(number, http, feed, since, tally, stop.Token)),
                ];
                while (Volatile.Read(ref tally.Following) < clients)
                {
                    await Task.Delay(50);
                    if (followers.FirstOrDefault(follower => follower.IsFaulted) is { } failed)
                        await failed;
                }

                await CommitAsync(2, null);
                var (requests, atServer) = (Volatile.Read(ref tally.Requests), cache?.AtServer ?? 0);
                var (serverCpu, cacheCpu, ownCpu) = (server.Cpu, cache?.Cpu ?? 0, Environment.CpuUsage.TotalTime);
                await CommitAsync(seconds, tally);
                var own = (Environment.CpuUsage.TotalTime - ownCpu).TotalSeconds / seconds;
                var (used, usedByCache) = ((server.Cpu - serverCpu) / seconds, ((cache?.Cpu ?? 0) - cacheCpu) / seconds);
                var asked = (Volatile.Read(ref tally.Requests) - requests) / (double)seconds;
                var askedServer = cache is null ? asked : (cache.AtServer - atServer) / (double)seconds;
                await Task.Delay(1500);
                Volatile.Write(ref tally.Counts, false);
                await stop.CancelAsync();
                foreach (var follower in followers)
                    await follower.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                double[] times = [.. tally.Times.Order()];
                if (times.Length != clients * rate * seconds)
                    Console.WriteLine($"{times.Length:N0} of {clients * rate * seconds:N0} records came.");
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {name} | {asked:N0} | {askedServer:N1} | {used:0.00} | {usedByCache:0.00} | {own:0.00} | "
                            + $"{times[times.Length / 2]:0.0} | {times[times.Length * 99 / 100]:0.0} |"
                    )
                );
            }

            async Task CommitAsync(int duration, Tally? tally)
            {
                var began = Stopwatch.GetTimestamp();
                if (tally is not null)
                    (tally.From, tally.Counts) = (Stopwatch.GetTimestamp(), true);
                for (var i = 0; i < rate * duration; i++)
                {
                    var due = TimeSpan.FromSeconds((double)i / rate) - Stopwatch.GetElapsedTime(began);
                    if (due > TimeSpan.Zero)
                        await Task.Delay(due);
                    RelayRun.Commit(writer, parser, i % 1000, 1, order: Stopwatch.GetTimestamp());
                }

                if (tally is not null)
                    tally.To = Stopwatch.GetTimestamp();
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Follows as the client does: what it lacks, then page after page, or the stream.</summary>
    private static async Task FollowOneAsync(int number, HttpClient http, Uri feed, long since, Tally tally, CancellationToken stop)
    {
        await Task.Delay(TimeSpan.FromSeconds(number / 500.0), stop);
        var isFollowing = false;
        for (var address = new Uri(feed, $"{feed.AbsolutePath}?since={since}"); ; )
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.TryAddWithoutValidation(WireNames.FollowHeader, WireNames.FollowByPages);
            var asked = Stopwatch.GetTimestamp();
            Interlocked.Increment(ref tally.Requests);
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
            response.EnsureSuccessStatusCode();
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(stop));
            if (!isFollowing)
                Interlocked.Increment(ref tally.Following);
            isFollowing = true;
            while (await lines.ReadLineAsync(stop) is { } line)
            {
                const string Member = "\"updated_at\":";
                var at = line.IndexOf(Member, StringComparison.Ordinal);
                if (at <= 0)
                    continue;
                var value = line.AsSpan(at + Member.Length);
                tally.Add(long.Parse(value[..value.IndexOf(',')], CultureInfo.InvariantCulture));
            }

            if (!response.Headers.TryGetValues("Link", out var links))
                throw new InvalidDataException("The feed ended.");
            address = new Uri(feed, links.Single().Split('<', '>')[1]);
            if (TimeSpan.FromMilliseconds(100) - Stopwatch.GetElapsedTime(asked) is var wait && wait > TimeSpan.Zero)
                await Task.Delay(wait, stop);
        }
    }

    private sealed class Tally
    {
        public int Following;
        public long Requests;
        public bool Counts;
        public long From;
        public long To = long.MaxValue;
        private readonly Lock _gate = new();

        public List<double> Times { get; } = [];

        public void Add(long committed)
        {
            if (!Volatile.Read(ref Counts) || committed < From || committed > To)
                return;
            var time = Stopwatch.GetElapsedTime(committed).TotalMilliseconds;
            lock (_gate)
                Times.Add(time);
        }
    }

    private static string FindNginx() =>
        EndToEndRun.Tool.Find("nginx")
        ?? (File.Exists("/usr/sbin/nginx") ? "/usr/sbin/nginx" : throw new InvalidOperationException("There is no nginx here."));

    private sealed record Result(long Requests, long AtServer, double ServerCpu, double CacheCpu, double Seconds);

    /// <summary><c>lockstep serve</c>, in its own process.</summary>
    private sealed class Server : IDisposable
    {
        private readonly Process _process;
        private readonly TimeSpan _before;

        public Server(string table, int clients, params string[] more)
        {
            var limit = (clients + 100).ToString(CultureInfo.InvariantCulture);
            string[] limits = ["--connection-limit", limit, "--connection-limit-per-address", limit];
            _process = Process.Start(
                new ProcessStartInfo(EndToEndRun.Lockstep, ["serve", "--path", table, "--port", "0", .. limits, .. more])
                {
                    RedirectStandardOutput = true,
                }
            )!;
            _process.StandardOutput.ReadLine();
            Feed = new Uri(_process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The server did not start."));
            _before = _process.TotalProcessorTime;
        }

        public Uri Feed { get; }

        /// <summary>The processor seconds used since it listens.</summary>
        public double Cpu
        {
            get
            {
                _process.Refresh();
                return (_process.TotalProcessorTime - _before).TotalSeconds;
            }
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }

    /// <summary>nginx in front of a server, as one process, whose log says for each request whether it went to the server.</summary>
    private sealed class Cache : IDisposable
    {
        private readonly Process _process;
        private readonly string _log;

        public Cache(string nginx, string folder, Uri server, int clients)
        {
            string In(string name) => Path.Combine(folder, name);
            _log = In("access.log");
            var port = FreePort();
            var site = File.ReadAllText(Path.Combine(EndToEndRun.Root, "deploy", "nginx.conf"))
                .Replace("127.0.0.1:4567", $"{server.Host}:{server.Port}", StringComparison.Ordinal)
                .Replace("listen 8080;", $"listen 127.0.0.1:{port} backlog=4096;", StringComparison.Ordinal)
                .Replace("/var/cache/nginx/lockstep", In("cache"), StringComparison.Ordinal);
            File.WriteAllText(
                In("nginx.conf"),
                $$"""
                {{(Environment.UserName == "root" ? "user root;" : "")}}
                daemon off;
                master_process off;
                pid {{In("nginx.pid")}};
                error_log {{In("error.log")}};
                events { worker_connections {{(3 * clients) + 1000}}; }
                http {
                    log_format asked '$upstream_addr';
                    access_log {{_log}} asked;
                    client_body_temp_path {{In("body")}};
                    proxy_temp_path {{In("proxy")}};
                    fastcgi_temp_path {{In("fastcgi")}};
                    uwsgi_temp_path {{In("uwsgi")}};
                    scgi_temp_path {{In("scgi")}};
                {{site}}
                }
                """
            );
            _process = Process.Start(new ProcessStartInfo(nginx, ["-p", folder, "-c", In("nginx.conf")]) { RedirectStandardError = true })!;
            Feed = new UriBuilder(server) { Port = port }.Uri;
            var until = Stopwatch.GetTimestamp();
            while (!Listens(port))
            {
                if (_process.HasExited || Stopwatch.GetElapsedTime(until) > TimeSpan.FromSeconds(30))
                    throw new InvalidOperationException("nginx did not start: " + File.ReadAllText(In("error.log")));
                Thread.Sleep(20);
            }
        }

        public Uri Feed { get; }

        public double Cpu
        {
            get
            {
                _process.Refresh();
                return _process.TotalProcessorTime.TotalSeconds;
            }
        }

        public long AtServer => File.ReadLines(_log).LongCount(static line => line is not ("-" or ""));

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }

        private static bool Listens(int port)
        {
            try
            {
                using var probe = new TcpClient("127.0.0.1", port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }

        private static int FreePort()
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }
    }
}
