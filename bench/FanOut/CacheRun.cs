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
        var nginx =
            EndToEndRun.Tool.Find("nginx")
            ?? (File.Exists("/usr/sbin/nginx") ? "/usr/sbin/nginx" : throw new InvalidOperationException("There is no nginx here."));
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

    private sealed record Result(long Requests, long AtServer, double ServerCpu, double CacheCpu, double Seconds);

    /// <summary><c>lockstep serve</c>, in its own process.</summary>
    private sealed class Server : IDisposable
    {
        private readonly Process _process;
        private readonly TimeSpan _before;

        public Server(string table, int clients)
        {
            var limit = (clients + 100).ToString(CultureInfo.InvariantCulture);
            string[] limits = ["--connection-limit", limit, "--connection-limit-per-address", limit];
            _process = Process.Start(
                new ProcessStartInfo(EndToEndRun.Lockstep, ["serve", "--path", table, "--port", "0", .. limits])
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
                events { worker_connections {{clients + 1000}}; }
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
