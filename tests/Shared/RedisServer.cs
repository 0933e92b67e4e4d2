using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Lockstep.Testing;

/// <summary>
/// A test's own Redis server (Debian's, from the search path) on a free port, with its data in a temporary folder. If there is none, the
/// test is skipped with the reason; if the environment variable LOCKSTEP_REQUIRE_REDIS is 1 that is a failure.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly TempFolder _folder = new();
    private readonly string[] _settings;
    private readonly bool _isSentinel;
    private Process? _process;

    private RedisServer(string[] settings, bool isSentinel)
    {
        _settings = settings;
        _isSentinel = isSentinel;
    }

    public int Port { get; private set; }

    /// <summary>Host and port, as in a URI.</summary>
    public string Host => $"127.0.0.1:{Port}";

    /// <summary>Starts a server that persists nothing, unless its settings say otherwise.</summary>
    /// <param name="cancellationToken">Cancels.</param>
    /// <param name="settings">As on its command line: <c>--appendonly</c>, <c>yes</c>. One with a certificate speaks TLS only.</param>
    public static Task<RedisServer> StartAsync(CancellationToken cancellationToken, params string[] settings) =>
        StartAsync(new RedisServer(settings, isSentinel: false), cancellationToken);

    /// <summary>Starts one that has each change on disk before it answers, and finds it there again after it was killed.</summary>
    public static Task<RedisServer> StartDurableAsync(CancellationToken cancellationToken) =>
        StartAsync(cancellationToken, "--appendonly", "yes", "--appendfsync", "always");

    /// <summary>Starts a Sentinel that watches a primary and replaces it half a second after it is gone.</summary>
    public static Task<RedisServer> StartSentinelAsync(string name, RedisServer primary, CancellationToken cancellationToken) =>
        StartAsync(
            new RedisServer(
                [
                    $"sentinel monitor {name} 127.0.0.1 {primary.Port} 1",
                    $"sentinel down-after-milliseconds {name} 500",
                    $"sentinel failover-timeout {name} 5000",
                ],
                isSentinel: true
            ),
            cancellationToken
        );

    /// <summary>Whether this machine has the server, else the reason why not.</summary>
    public static string? Missing => Find("redis-server") is null ? "there is no redis-server on the search path" : null;

    private bool IsTls => _settings.Contains("--tls-cert-file");

    /// <summary>Restarts it on the same port and data; returns once it answers.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        string[] port = IsTls ? ["--port", "0", "--tls-port", $"{Port}"] : ["--port", $"{Port}"];
        string[] arguments =
        [
            .. port,
            "--bind",
            "127.0.0.1",
            "--dir",
            _folder.Path,
            "--save",
            "",
            "--repl-diskless-sync-delay",
            "0",
            .. _settings,
        ];
        if (_isSentinel)
        {
            var file = _folder["sentinel.conf"];
            if (!File.Exists(file))
            {
                await File.WriteAllLinesAsync(
                    file,
                    [$"port {Port}", "bind 127.0.0.1", $"dir {_folder.Path}", .. _settings],
                    cancellationToken
                );
            }

            arguments = [file, "--sentinel"];
        }

        _process = Process.Start(new ProcessStartInfo(Find("redis-server")!, arguments) { RedirectStandardOutput = true })!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        AppDomain.CurrentDomain.ProcessExit += KillAtExit;
        var begun = Stopwatch.StartNew();
        while (!await AnswersAsync(cancellationToken))
        {
            if (_process.HasExited || begun.Elapsed > StartLimit)
                throw new InvalidOperationException($"redis-server did not start on port {Port}.");
            await Task.Delay(20, cancellationToken);
        }
    }

    /// <summary>Ends it at once, like a power loss except that the system still writes what it has buffered.</summary>
    public async Task KillAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= KillAtExit;
        if (_process is null)
            return;
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Runs a command with redis-cli and returns what it prints.</summary>
    public async Task<string> RunAsync(CancellationToken cancellationToken, params string[] command)
    {
        using var client = Process.Start(
            new ProcessStartInfo(Find("redis-cli")!, ["-p", $"{Port}", .. command])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var output = client.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = await client.StandardError.ReadToEndAsync(cancellationToken);
        await client.WaitForExitAsync(cancellationToken);
        return (await output + errors).TrimEnd();
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _folder.Dispose();
    }

    private static async Task<RedisServer> StartAsync(RedisServer server, CancellationToken cancellationToken)
    {
        if (Missing is { } reason)
        {
            server._folder.Dispose();
            if (Environment.GetEnvironmentVariable("LOCKSTEP_REQUIRE_REDIS") == "1")
                Assert.Fail("LOCKSTEP_REQUIRE_REDIS is 1, but " + reason);
            Assert.Skip(reason);
        }

        for (var attempt = 1; ; attempt++)
        {
            server.Port = FreePort();
            try
            {
                await server.StartAsync(cancellationToken);
                return server;
            }
            catch (InvalidOperationException) when (attempt < 3)
            {
                // Another process took the port first.
                await server.KillAsync();
            }
            catch
            {
                await server.DisposeAsync();
                throw;
            }
        }
    }

    private async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        // Whatever it answers, even that it wants a password or TLS, it is up; while it loads its data it says so.
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, Port, cancellationToken);
            if (IsTls)
                return true;
            await socket.GetStream().WriteAsync("PING\r\n"u8.ToArray(), cancellationToken);
            var answer = new byte[256];
            var length = await socket.GetStream().ReadAsync(answer, cancellationToken);
            return length > 0 && !System.Text.Encoding.ASCII.GetString(answer, 0, length).StartsWith("-LOADING", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    private void KillAtExit(object? sender, EventArgs e) => KillAsync().GetAwaiter().GetResult();

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
