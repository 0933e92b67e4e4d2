using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep serve, as a process of its own.</summary>
public sealed class ServeCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_table_file_is_served_live_and_SIGTERM_ends_the_server_in_order()
    {
        await using var origin = await OriginAsync();
        await SyncAsync(origin.FeedUri, "servers.db");
        await using var server = await ServeProcess.StartAsync(
            _folder.Path,
            [],
            "--path",
            "servers.db",
            "--table",
            "servers",
            "--port",
            "0"
        );
        var feed = Assert.Single(server.Feeds);
        Assert.EndsWith("/servers", feed.AbsolutePath, StringComparison.Ordinal);

        Assert.Equal((1, 0), await SyncAsync(feed, "copy.db"));
        origin.AddRecord("""{"id":8,"updated_at":9,"deleted_at":null}"""u8.ToArray());
        await SyncAsync(origin.FeedUri, "servers.db");
        Assert.Equal((1, 0), await SyncAsync(feed, "copy.db"));

        using var client = new HttpClient();
        Assert.Equal("ok\n", await client.GetStringAsync(new Uri(server.Uri, "healthz"), Cancel));
        using var body = await client.GetStreamAsync(feed, Cancel);
        Assert.Equal(0, await server.TerminateAsync());

        // A body that was cut off never looks like the end of a snapshot.
        await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(Stream.Null, Cancel));
        Assert.Equal("", server.Error);
    }

    [Fact]
    public async Task A_table_that_is_named_alone_is_served_from_its_file_in_the_current_folder()
    {
        await using var origin = await OriginAsync();
        await SyncAsync(origin.FeedUri, "servers.db");
        await using var server = await ServeProcess.StartAsync(_folder.Path, [], "-t", "servers", "--port", "0");

        Assert.Equal((1, 0), await SyncAsync(Assert.Single(server.Feeds), "copy.db"));
    }

    [Fact]
    public async Task A_table_file_is_served_in_the_record_dialect_to_clients_of_the_original()
    {
        await using var origin = await OriginAsync();
        await SyncAsync(origin.FeedUri, "servers.db");
        await using var server = await ServeProcess.StartAsync(
            _folder.Path,
            [],
            "--path",
            "servers.db",
            "--dialect",
            "record",
            "--port",
            "0"
        );
        var feed = Assert.Single(server.Feeds);
        using var client = new HttpClient();
        using (var response = await client.GetAsync(new Uri($"{feed}/0"), HttpCompletionOption.ResponseHeadersRead, Cancel))
        {
            using var body = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
            using var record = JsonDocument.Parse((await body.ReadLineAsync(Cancel))!);
            Assert.Equal(1, record.RootElement.GetProperty("updated_at").GetInt64());
        }

        Assert.Equal((1, 0), await SyncAsync(feed, "copy.db"));
        origin.AddRecord("""{"id":7,"updated_at":9,"deleted_at":9}"""u8.ToArray());
        await SyncAsync(origin.FeedUri, "servers.db");
        Assert.Equal((0, 1), await SyncAsync(feed, "copy.db"));

        var refused = await CliProcess.RunAsync(_folder.Path, "serve", "--postgres", "Host=nowhere", "-t", "x", "--dialect", "record");
        Assert.Equal(2, refused.ExitCode);
    }

    [Fact]
    public async Task Users_and_tokens_come_from_files_and_the_environment()
    {
        await using var origin = await OriginAsync();
        await SyncAsync(origin.FeedUri, "servers.db");
        await File.WriteAllTextAsync(_folder["tokens"], "first\n\nsecond\n", Cancel);
        await using var server = await ServeProcess.StartAsync(
            _folder.Path,
            new() { ["LOCKSTEP_SERVER_PASSWORD"] = "pa:ss" },
            "--path",
            "servers.db",
            "--port",
            "0",
            "--user",
            "me",
            "--token-file",
            "tokens"
        );
        using var client = new HttpClient();

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(null));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(new AuthenticationHeaderValue("Bearer", "third")));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(new AuthenticationHeaderValue("Bearer", "second")));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(new AuthenticationHeaderValue("Basic", Convert.ToBase64String("me:pa:ss"u8))));

        async Task<HttpStatusCode> StatusAsync(AuthenticationHeaderValue? authorization)
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, server.Feeds[0]) { Headers = { Authorization = authorization } };
            using var response = await client.SendAsync(request, Cancel);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task With_a_certificate_it_speaks_TLS()
    {
        await using var origin = await OriginAsync();
        await SyncAsync(origin.FeedUri, "servers.db");
        using var key = ECDsa.Create();
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1),
            DateTimeOffset.UtcNow.AddDays(1)
        );
        await File.WriteAllTextAsync(
            _folder["cert.pem"],
            certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem(),
            Cancel
        );
        await using var server = await ServeProcess.StartAsync(
            _folder.Path,
            [],
            "--path",
            "servers.db",
            "--port",
            "0",
            "--certificate",
            "cert.pem"
        );

        var sync = await CliProcess.RunAsync(
            _folder.Path,
            "sync",
            server.Feeds[0].AbsoluteUri,
            "--path",
            "copy.db",
            "--skip-certificate-check"
        );
        Assert.Equal((0, "https"), (sync.ExitCode, server.Uri.Scheme));
    }

    [Fact]
    public async Task What_goes_away_is_told_and_so_is_its_return()
    {
        await using var origin = await OriginAsync();
        await SyncAsync(origin.FeedUri, "servers.db");
        await using var server = await ServeProcess.StartAsync(_folder.Path, [], "--path", "servers.db", "--port", "0");
        using var client = new HttpClient();
        File.Move(_folder["servers.db"], _folder["away"]);
        Assert.Contains("servers", await server.ReadErrorLineAsync(), StringComparison.Ordinal);
        using var health = await client.GetAsync(new Uri(server.Uri, "healthz"), Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        File.Move(_folder["away"], _folder["servers.db"]);
        Assert.Contains("can be read again", await server.ReadErrorLineAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "nothing to serve")]
    [InlineData(2, "LOCKSTEP_POSTGRES", "--postgres")]
    [InlineData(2, "--table", "--postgres", "Host=127.0.0.1")]
    [InlineData(2, "connection string", "--postgres", "Host=x;Pass word=s3cret", "--table", "t")]
    [InlineData(2, "LOCKSTEP_SERVER_PASSWORD", "--path", "t.db", "--user", "me")]
    [InlineData(3, "127.0.0.1:1", "--postgres", "postgres://me:s3cret@127.0.0.1:1/db", "--table", "t")]
    [InlineData(4, "TableNotFound", "--path", "nothing.db")]
    public async Task What_is_wrong_ends_in_its_exit_code(int exitCode, string says, params string[] arguments)
    {
        var run = await CliProcess.RunAsync(_folder.Path, ["serve", "--port", "0", .. arguments]);

        Assert.Equal(exitCode, run.ExitCode);
        if (exitCode != 3)
            Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_of_PostgreSQL_is_served_with_the_connection_from_the_environment()
    {
        await using var postgres = await PostgresServer.StartAsync(Cancel);
        await postgres.RunSqlAsync(
            "CREATE TABLE items (id int PRIMARY KEY, txid bigint NOT NULL, deleted boolean NOT NULL DEFAULT false)",
            Cancel
        );
        await postgres.RunSqlAsync("INSERT INTO items SELECT g, pg_current_xact_id()::text::bigint FROM generate_series(1, 3) g", Cancel);
        await using var server = await ServeProcess.StartAsync(
            _folder.Path,
            new() { ["LOCKSTEP_POSTGRES"] = postgres.ConnectionString },
            "--port",
            "0",
            "--table",
            "items",
            "--poll-interval-sec",
            "0.1",
            "--postgres"
        );

        Assert.Equal((3, 0), await SyncAsync(server.Feeds[0], "items.db"));
        await postgres.RunSqlAsync("UPDATE items SET deleted = true, txid = pg_current_xact_id()::text::bigint WHERE id = 2", Cancel);
        Assert.Equal((0, 1), await SyncAsync(server.Feeds[0], "items.db"));

        var missing = await CliProcess.RunAsync(
            _folder.Path,
            "serve",
            "--port",
            "0",
            "--postgres",
            postgres.ConnectionString,
            "--table",
            "nothing"
        );
        Assert.Equal(4, missing.ExitCode);
        Assert.Contains("PostgresTable", missing.Error, StringComparison.Ordinal);
        Assert.Equal(0, await server.TerminateAsync());
    }

    [Fact]
    public async Task With_replication_it_serves_ends_in_order_and_goes_on_where_it_stopped()
    {
        await using var postgres = await PostgresServer.StartAsync(Cancel, "wal_level=logical");
        await postgres.RunSqlAsync(
            "CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT g, 'as it was' FROM generate_series(1, 3) g",
            Cancel
        );
        string[] arguments =
        [
            "--port",
            "0",
            "--postgres",
            postgres.ConnectionString,
            "--table",
            "items",
            "--mode",
            "Replication",
            "--log-path",
            "log",
        ];
        var client = new FeedLines();
        await using (var server = await ServeProcess.StartAsync(_folder.Path, [], arguments))
        {
            await client.ReadAsync(server.Feeds[0], line => line.Contains("snapshot_completed", StringComparison.Ordinal), Cancel);
            Assert.Equal([1, 2, 3], client.Ids.Order());
            Assert.Equal(0, await server.TerminateAsync());
            Assert.Equal("", server.Error);
        }

        // While it is down, the database keeps the changes for it.
        await postgres.RunSqlAsync(
            "UPDATE items SET name = 'late' WHERE id = 2; DELETE FROM items WHERE id = 3; INSERT INTO items VALUES (4, 'new')",
            Cancel
        );
        var identity = client.Identity;
        client.Ids.Clear();
        await using (var server = await ServeProcess.StartAsync(_folder.Path, [], arguments))
        {
            await client.ReadAsync(server.Feeds[0], line => line.Contains("\"id\":4", StringComparison.Ordinal), Cancel);
            Assert.Equal([2, 3, 4], client.Ids.Distinct().Order());
            Assert.Equal(identity, client.Identity);

            // The database restarts while a client reads: heartbeats tell the client that the feed is alive, and then it continues.
            var live = client.ReadAsync(server.Feeds[0], line => line.Contains("\"id\":5", StringComparison.Ordinal), Cancel);
            await postgres.StopAsync(Cancel);
            await postgres.StartAsync(Cancel);
            await postgres.RunSqlAsync("INSERT INTO items VALUES (5, 'after')", Cancel);
            await live;
            Assert.Equal(0, await server.TerminateAsync());
        }

        Assert.Equal("t", await postgres.RunSqlAsync("SELECT NOT active FROM pg_replication_slots", Cancel));
    }

    private static Task<LockstepTestServer> OriginAsync() =>
        LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Scripted,
                Records = ["""{"id":7,"updated_at":1,"deleted_at":null}"""],
            },
            cancellationToken: Cancel
        );

    private async Task<(int Added, int Deleted)> SyncAsync(Uri feed, string file)
    {
        var run = await CliProcess.RunAsync(_folder.Path, "sync", feed.AbsoluteUri, "--path", file, "--settle-sec", "0.2", "--json");
        Assert.True(run.ExitCode == 0, run.Error);
        var result = JsonDocument.Parse(run.Output).RootElement;
        return (result.GetProperty("added").GetInt32(), result.GetProperty("deleted").GetInt32());
    }

    /// <summary>A client at the level of the wire: it keeps cursor and identity, and reconnects when it is cut off.</summary>
    private sealed class FeedLines
    {
        private long _cursor;

        public string Identity { get; private set; } = "";

        public List<int> Ids { get; } = [];

        /// <summary>Reads from the cursor until the last line wanted.</summary>
        public async Task ReadAsync(Uri feed, Predicate<string> isLast, CancellationToken cancellationToken)
        {
            using var client = new HttpClient();
            while (true)
            {
                try
                {
                    using var request = new HttpRequestMessage(HttpMethod.Get, $"{feed}?since={_cursor}");
                    if (_cursor > 0)
                        request.Headers.Add("Lockstep-Feed", Identity);
                    using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
                    if (response.StatusCode != HttpStatusCode.ServiceUnavailable)
                    {
                        response.EnsureSuccessStatusCode();
                        Identity = response.Headers.GetValues("Lockstep-Feed").Single();
                        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
                        while (await lines.ReadLineAsync(cancellationToken) is { } line)
                        {
                            Take(line);
                            if (isLast(line))
                                return;
                        }
                    }
                }
                catch (Exception e) when (e is IOException or HttpRequestException { StatusCode: null })
                {
                    // Cut off; it connects again.
                }

                await Task.Delay(50, cancellationToken);
            }
        }

        private void Take(string line)
        {
            if (line.Length == 0)
                return;
            var row = JsonDocument.Parse(line).RootElement;
            if (row.TryGetProperty("data", out var data))
                Ids.Add(data.GetProperty("id").GetInt32());
            else if (row.TryGetProperty("since", out var since))
                _cursor = Math.Max(_cursor, since.GetInt64());
        }
    }

    /// <summary>lockstep serve; ends with the test.</summary>
    private sealed class ServeProcess : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly List<string> _errors = [];

        private ServeProcess(Process process, Uri uri, IReadOnlyList<Uri> feeds) => (_process, Uri, Feeds) = (process, uri, feeds);

        public Uri Uri { get; }

        public IReadOnlyList<Uri> Feeds { get; }

        /// <summary>What it wrote to standard error; complete once it has ended.</summary>
        public string Error => string.Join('\n', _errors);

        public static async Task<ServeProcess> StartAsync(string folder, Dictionary<string, string> environment, params string[] arguments)
        {
            var process = CliProcess.Start(folder, environment, ["serve", .. arguments]);
            const string Greeting = "Listening on ";
            var first = await process.StandardOutput.ReadLineAsync(Cancel);
            Assert.True(
                first?.StartsWith(Greeting, StringComparison.Ordinal) == true,
                first ?? await process.StandardError.ReadToEndAsync(Cancel)
            );
            var feed = new Uri((await process.StandardOutput.ReadLineAsync(Cancel))!);
            return new ServeProcess(process, new Uri(first![Greeting.Length..]), [feed]);
        }

        public async Task<string> ReadErrorLineAsync()
        {
            var line = await _process.StandardError.ReadLineAsync(Cancel) ?? throw new EndOfStreamException();
            _errors.Add(line);
            return line;
        }

        /// <summary>Ends it the way systemd does.</summary>
        public async Task<int> TerminateAsync()
        {
            Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM.");
            using (var kill = Process.Start("sh", ["-c", $"kill -TERM {_process.Id}"]))
                await kill.WaitForExitAsync(Cancel);
            await _process.WaitForExitAsync(Cancel);
            var rest = await _process.StandardError.ReadToEndAsync(Cancel);
            if (rest.Length > 0)
                _errors.Add(rest);
            return _process.ExitCode;
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited)
                _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
            _process.Dispose();
        }
    }
}
