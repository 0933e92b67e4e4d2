using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lockstep.Testing;

/// <summary>
/// A test's own PostgreSQL server: a fresh cluster in a temporary folder, on a free port of the loopback address, without passwords and
/// without fsync, stopped and deleted on dispose. Skips the test if the machine has no PostgreSQL; if the environment variable
/// LOCKSTEP_REQUIRE_POSTGRES is 1 (continuous integration) that is a failure.
/// </summary>
/// <remarks>
/// Searches for the binaries in LOCKSTEP_POSTGRES_BIN, on PATH and where packages put them. initdb refuses root, so a test that runs as
/// root drops to another user for it. No member needs a database driver.
/// </remarks>
public sealed class PostgresServer : IAsyncDisposable
{
    private const string User = "lockstep";
    private readonly PostgresTools _tools;
    private readonly string _folder;
    private readonly string[] _settings;
    private bool _running;

    /// <summary>Creates a cluster of a version and starts it.</summary>
    /// <inheritdoc cref="StartAsync(CancellationToken, string[])"/>
    public static Task<PostgresServer> StartAsync(int? version, CancellationToken cancellationToken, params string[] settings) =>
        StartAsync(new PostgresServer(PostgresTools.FindOrSkip(version), settings), cancellationToken);

    private PostgresServer(PostgresTools tools, string[] settings)
    {
        _tools = tools;
        _settings = settings;
        _folder = Directory.CreateTempSubdirectory("lockstep-pg-").FullName;
    }

    /// <summary>The port, which stays the same when the server is stopped and started again.</summary>
    public int Port { get; private set; }

    /// <summary>For Npgsql; a superuser, in the database postgres.</summary>
    public string ConnectionString => ConnectionStringTo("postgres");

    private string[] Psql =>
        ["-h", "127.0.0.1", "-p", $"{Port}", "-U", User, "-d", "postgres", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"];

    private string Data => Path.Combine(_folder, "data");

    private string Log => Path.Combine(_folder, "log");

    /// <summary>Creates a cluster and starts it.</summary>
    /// <param name="settings">Further server settings, each as <c>name=value</c>.</param>
    public static Task<PostgresServer> StartAsync(CancellationToken cancellationToken, params string[] settings) =>
        StartAsync(new PostgresServer(PostgresTools.FindOrSkip(), settings), cancellationToken);

    private static async Task<PostgresServer> StartAsync(PostgresServer server, CancellationToken cancellationToken)
    {
        try
        {
            await server._tools.OwnAsync(server._folder, cancellationToken);
            await server._tools.RunAsync(
                "initdb",
                ["-D", server.Data, "-U", User, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                cancellationToken
            );
            await server.StartOnAFreePortAsync(cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    private async Task StartOnAFreePortAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; Port == 0; attempt++)
        {
            Port = FreePort();
            try
            {
                await StartAsync(cancellationToken);
            }
            catch (InvalidOperationException) when (attempt < 3 && PortWasTaken())
            {
                Port = 0;
            }
        }
    }

    /// <summary>
    /// Creates a streaming standby of this server and starts it: a copy of the files between the start and the stop of a backup, because
    /// not every set of programs includes pg_basebackup.
    /// </summary>
    public async Task<PostgresServer> StartStandbyAsync(CancellationToken cancellationToken)
    {
        var standby = new PostgresServer(_tools, _settings);
        try
        {
            await _tools.OwnAsync(standby._folder, cancellationToken);
            var version = int.Parse(await RunSqlAsync("SHOW server_version_num", cancellationToken), CultureInfo.InvariantCulture);
            var (start, stop) =
                version < 150000
                    ? ("pg_start_backup('copy', true, false)", "pg_stop_backup(false, false)")
                    : ("pg_backup_start('copy', true)", "pg_backup_stop(false)");
            var label = await _tools.RunAsync(
                "psql",
                [
                    .. Psql,
                    "-c",
                    $"SELECT 'from ' || {start}",
                    "-c",
                    $@"\! cp -a {Data} {standby.Data}; rm -f {standby.Data}/postmaster.*",
                    "-c",
                    $"SELECT labelfile FROM {stop}",
                ],
                cancellationToken
            );
            foreach (
                var (name, text) in ((string, string)[])
                    [("backup_label", label[(label.IndexOf('\n') + 1)..].TrimEnd() + "\n"), ("standby.signal", "")]
            )
            {
                await File.WriteAllTextAsync(Path.Combine(standby.Data, name), text, cancellationToken);
                await _tools.OwnAsync(Path.Combine(standby.Data, name), cancellationToken);
            }

            await File.AppendAllTextAsync(
                Path.Combine(standby.Data, "postgresql.auto.conf"),
                $"primary_conninfo = 'host=127.0.0.1 port={Port} user={User} dbname=postgres'\n",
                cancellationToken
            );
            await standby.StartOnAFreePortAsync(cancellationToken);
            return standby;
        }
        catch
        {
            await standby.DisposeAsync();
            throw;
        }
    }

    /// <summary>Promotes a standby to a primary, on a timeline of its own.</summary>
    public Task PromoteAsync(CancellationToken cancellationToken) =>
        _tools.RunAsync("pg_ctl", ["promote", "-D", Data, "-w", "-t", "60", "-s"], cancellationToken);

    /// <summary>The connection string of one of the server's databases.</summary>
    public string ConnectionStringTo(string database) =>
        $"Host=127.0.0.1;Port={Port};Username={User};Database={database};Timeout=15;Include Error Detail=true";

    /// <summary>Creates an empty database, so that tests can share the server, and returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(CancellationToken cancellationToken)
    {
        var name = "test_" + Guid.NewGuid().ToString("N")[..12];
        await _tools.RunAsync("createdb", ["-h", "127.0.0.1", "-p", $"{Port}", "-U", User, name], cancellationToken);
        return ConnectionStringTo(name);
    }

    /// <summary>
    /// Runs a script in the database postgres and returns what it prints: values separated by <c>|</c>, one row per line.
    /// </summary>
    public async Task<string> RunSqlAsync(string sql, CancellationToken cancellationToken) =>
        (await _tools.RunAsync("psql", [.. Psql, "-c", sql], cancellationToken)).TrimEnd();

    /// <summary>Restarts the stopped server on the same port and data; returns once it accepts connections.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        string[] settings =
        [
            $"port={Port}",
            "listen_addresses=127.0.0.1",
            $"unix_socket_directories={_folder}",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=200",
            "shared_buffers=16MB",
            .. _settings,
        ];
        var options = string.Join(' ', settings.Select(setting => $"-c {setting}"));
        await _tools.RunAsync("pg_ctl", ["start", "-D", Data, "-l", Log, "-w", "-t", "60", "-s", "-o", options], cancellationToken);
        _running = true;
        AppDomain.CurrentDomain.ProcessExit += StopAtExit;
    }

    /// <summary>Shuts the server down cleanly; open connections are cut.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => StopAsync("fast", cancellationToken);

    /// <summary>Takes the server down without a checkpoint, as a crash does: it recovers from its log when it restarts.</summary>
    public Task CrashAsync(CancellationToken cancellationToken) => StopAsync("immediate", cancellationToken);

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (_running)
                await CrashAsync(CancellationToken.None);
        }
        catch (InvalidOperationException) when (!File.Exists(Path.Combine(Data, "postmaster.pid")))
        {
            // It was stopped, if too late for who waited: that is told, and not hidden by this.
        }

        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (IOException)
        {
            // A backend may still have a file open; the system cleans its temporary folder.
        }
    }

    private async Task StopAsync(string mode, CancellationToken cancellationToken)
    {
        AppDomain.CurrentDomain.ProcessExit -= StopAtExit;
        await _tools.RunAsync("pg_ctl", ["stop", "-D", Data, "-m", mode, "-w", "-t", "60", "-s"], cancellationToken);
        _running = false;
    }

    private void StopAtExit(object? sender, EventArgs e) => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private bool PortWasTaken() => File.Exists(Log) && File.ReadAllText(Log).Contains("could not bind", StringComparison.Ordinal);

    /// <summary>A port of the loopback address that nobody listens on.</summary>
    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
