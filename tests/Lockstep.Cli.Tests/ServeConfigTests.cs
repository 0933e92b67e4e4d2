using System.Net;
using System.Net.Http.Headers;
using Lockstep.Postgres;
using Lockstep.Postgres.Tracking;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep serve as a service: with a configuration, signals and a database that is not up yet.</summary>
public sealed class ServeConfigTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_configuration_is_served_once_its_database_comes_and_read_again_without_cutting_off_who_reads()
    {
        await using var postgres = await PostgresServer.StartAsync(Cancel);
        await postgres.RunSqlAsync(
            "CREATE TABLE one (id int PRIMARY KEY, txid bigint DEFAULT 1, deleted boolean DEFAULT false); INSERT INTO one VALUES (1);"
                + "CREATE TABLE two (id int PRIMARY KEY, txid bigint DEFAULT 1, deleted boolean DEFAULT false);"
                + "CREATE UNLOGGED TABLE bad (id int PRIMARY KEY, txid bigint, deleted boolean)",
            Cancel
        );
        await postgres.StopAsync(Cancel);
        await File.WriteAllTextAsync(_folder["first"], "token-of-one\n", Cancel);
        await WriteAsync("""["public.*"]""");
        await using var server = await ServeService.StartAsync(
            _folder.Path,
            new() { ["ITS_DATABASE"] = postgres.ConnectionString, ["EVERYTHING"] = "token-of-all" },
            "--config",
            "lockstep.json"
        );
        using var client = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("livez", null));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync("one", "token-of-one"));
        await postgres.StartAsync(Cancel);
        await Eventually.TrueAsync(async () => await StatusAsync("readyz/one", "token-of-one") == HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync("readyz/bad", "token-of-all"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("one", "token-of-one"));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("two", "token-of-one"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("two", "token-of-all"));

        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "token-of-all");
        using var lines = new StreamReader(await client.GetStreamAsync(new Uri(server.Uri, "one"), Cancel));
        Assert.Contains("\"id\":1", await lines.ReadLineAsync(Cancel), StringComparison.Ordinal);
        await File.WriteAllTextAsync(_folder["lockstep.json"], "{ nonsense", Cancel);
        server.Signal("HUP");
        await Eventually.TrueAsync(() => server.Error.Contains("is unchanged", StringComparison.Ordinal));
        await WriteAsync("""["public.one"]""");
        server.Signal("HUP");
        await Eventually.TrueAsync(async () => await StatusAsync("two", "token-of-all") == HttpStatusCode.NotFound);
        await postgres.RunSqlAsync("INSERT INTO one VALUES (2, pg_current_xact_id()::text::bigint)", Cancel);
        for (var line = ""; !line!.Contains("\"id\":2", StringComparison.Ordinal); line = await lines.ReadLineAsync(Cancel))
            Assert.NotNull(line);
        Assert.Equal(0, await server.TerminateAsync());

        async Task<HttpStatusCode> StatusAsync(string path, string? token)
        {
            using var asking = new HttpClient();
            if (token is not null)
                asking.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var answer = await asking.GetAsync(new Uri(server.Uri, path), HttpCompletionOption.ResponseHeadersRead, Cancel);
            return answer.StatusCode;
        }

        Task WriteAsync(string tables) =>
            File.WriteAllTextAsync(
                _folder["lockstep.json"],
                $$"""
                {
                    // Maintained by hand.
                    "listen": { "port": 0 },
                    "databases": [{ "connectionVariable": "ITS_DATABASE", "tables": {{tables}}, "pollIntervalSeconds": 0.1 }],
                    "credentials": [{ "tokenFile": "first", "feeds": ["one"] }, { "tokenVariable": "EVERYTHING" }],
                }
                """,
                Cancel
            );
    }

    [Fact]
    public async Task Of_tables_of_one_name_that_of_public_has_it_and_the_others_are_named_with_their_schema()
    {
        await using var postgres = await PostgresServer.StartAsync(Cancel);
        const string Columns = "(id int PRIMARY KEY, txid bigint DEFAULT 1, deleted boolean DEFAULT false)";
        await postgres.RunSqlAsync(
            $"CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.one {Columns}; CREATE TABLE public.one {Columns};"
                + $"CREATE TABLE a.two {Columns}; CREATE TABLE b.two {Columns}; CREATE TABLE b.three {Columns}",
            Cancel
        );
        await File.WriteAllTextAsync(
            _folder["lockstep.json"],
            """{ "listen": { "port": 0 }, "databases": [{ "connectionVariable": "ITS_DATABASE", "tables": ["*.*"]"""
                + """, "pollIntervalSeconds": 0.1 }] }""",
            Cancel
        );
        await using var server = await ServeService.StartAsync(
            _folder.Path,
            new() { ["ITS_DATABASE"] = postgres.ConnectionString },
            "--config",
            "lockstep.json"
        );
        using var client = new HttpClient();
        foreach (var name in (string[])["one", "a.one", "a.two", "b.two", "three"])
            await Eventually.TrueAsync(async () => await StatusAsync(name) == HttpStatusCode.OK, name);
        foreach (var name in (string[])["two", "public.one", "b.three"])
            Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(name));

        async Task<HttpStatusCode> StatusAsync(string name)
        {
            using var answer = await client.GetAsync(new Uri(server.Uri, name), HttpCompletionOption.ResponseHeadersRead, Cancel);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task Old_tombstones_and_what_dropped_tables_have_left_are_removed()
    {
        await using var postgres = await PostgresServer.StartAsync(Cancel);
        await postgres.RunSqlAsync("CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE dropped (id int PRIMARY KEY)", Cancel);
        foreach (var table in (string[])["items", "dropped"])
        {
            await PostgresTracking.EnableAsync(postgres.ConnectionString, TableName.Parse(table), cancellationToken: Cancel);
        }

        await postgres.RunSqlAsync("INSERT INTO items VALUES (1), (2), (3)", Cancel);
        var cursor = await postgres.RunSqlAsync("SELECT pg_snapshot_xmin(pg_current_snapshot())", Cancel);
        await postgres.RunSqlAsync("DELETE FROM items WHERE id < 3", Cancel);
        await postgres.RunSqlAsync(
            "UPDATE lockstep.\"public.items\" SET lockstep_at = now() - interval '49 hours' WHERE id = 1; DROP TABLE dropped",
            Cancel
        );
        await File.WriteAllTextAsync(
            _folder["lockstep.json"],
            """
            {
                "listen": { "port": 0 },
                "databases": [{ "connectionVariable": "ITS_DATABASE", "tables": ["public.*"], "tombstoneRetentionDays": 2 }]
            }
            """,
            Cancel
        );
        await using var server = await ServeService.StartAsync(
            _folder.Path,
            new() { ["ITS_DATABASE"] = postgres.ConnectionString },
            "--config",
            "lockstep.json"
        );
        await Eventually.TrueAsync(async () =>
            await postgres.RunSqlAsync("SELECT string_agg(id::text, ' ') FROM lockstep.\"public.items\"", Cancel) == "2"
        );
        await Eventually.TrueAsync(async () =>
            await postgres.RunSqlAsync("SELECT to_regclass('lockstep.\"public.dropped\"') IS NULL", Cancel) == "t"
        );
        Assert.Contains("the dropped table public.dropped is removed", server.Error, StringComparison.Ordinal);

        // A client that has not heard of what is forgotten starts over.
        using var client = new HttpClient();
        await Eventually.TrueAsync(async () => await StatusAsync("items") == HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.Gone, await StatusAsync($"items?since={cursor}"));

        async Task<HttpStatusCode> StatusAsync(string path)
        {
            using var answer = await client.GetAsync(new Uri(server.Uri, path), HttpCompletionOption.ResponseHeadersRead, Cancel);
            return answer.StatusCode;
        }
    }

    [Theory]
    [InlineData("""{ "databases": [{ "tables": ["a"] }] }""", "connectionVariable")]
    [InlineData("""{ "databases": [{ "connection": "Host=a" }] }""", "needs tables")]
    [InlineData("""{ "listen": { "prot": 1 } }""", "prot")]
    [InlineData("""{ "listen": { "port": -1 } }""", "listen.port takes")]
    [InlineData("""{ "credentials": [{ "tokenVariable": "NOT_SET_ANYWHERE" }] }""", "NOT_SET_ANYWHERE")]
    [InlineData("""{ "credentials": [{}] }""", "needs a user")]
    public async Task A_configuration_that_cannot_be_is_refused_with_the_reason(string json, string reason)
    {
        await File.WriteAllTextAsync(_folder["lockstep.json"], json, Cancel);
        var run = await CliProcess.RunAsync(_folder.Path, "serve", "--config", "lockstep.json");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "listen": { "prot": 1 } }""", "listen.prot", "Did you mean 'port'?", "address, port")]
    [InlineData("""{ "listen": { "zzzzz": 1 } }""", "listen.zzzzz", "address, port")]
    [InlineData("""{ "lisen": {} }""", "'lockstep.json'", "lisen", "Did you mean 'listen'?")]
    [InlineData("""{ "databases": [{}, { "conection": "" }] }""", "databases[1].conection", "Did you mean 'connection'?")]
    [InlineData("""{ "listen": { "port": "x" } }""", "listen.port", "a whole number")]
    [InlineData("""{ "listen": { "port": 1.5 } }""", "listen.port", "a whole number")]
    [InlineData("""{ "listen": { "port": 99999999999 } }""", "listen.port", "a whole number")]
    [InlineData("""{ "listen": { "heartbeatSeconds": true } }""", "listen.heartbeatSeconds", "a number")]
    [InlineData("""{ "listen": { "compress": "yes" } }""", "listen.compress", "true or false")]
    [InlineData("""{ "listen": { "address": 5 } }""", "listen.address", "text")]
    [InlineData("""{ "listen": { "address": null } }""", "listen.address", "text")]
    [InlineData("""{ "listen": { "allowedHosts": "a" } }""", "listen.allowedHosts", "a list")]
    [InlineData("""{ "listen": { "allowedHosts": ["a", 1] } }""", "listen.allowedHosts[1]", "text")]
    [InlineData("""{ "listen": null }""", "listen", "an object")]
    [InlineData("""{ "files": [null] }""", "files[0]", "an object")]
    [InlineData("""{ "files": [{ "table": "a" }] }""", "files[0]", "'path'")]
    [InlineData("""{ "files": [{ "path": "a", "dialect": "Recrod" }] }""", "files[0].dialect", "Record", "Did you mean 'Record'?")]
    [InlineData("""[]""", "an object")]
    [InlineData("""{ "\ud800": 1 }""", "cannot be used")]
    public async Task A_configuration_with_a_wrong_member_or_value_is_told_where_it_is_and_what_belongs_there(
        string json,
        params string[] told
    )
    {
        await File.WriteAllTextAsync(_folder["lockstep.json"], json, Cancel);
        var run = await CliProcess.RunAsync(_folder.Path, "serve", "--config", "lockstep.json");
        Assert.Equal(2, run.ExitCode);
        foreach (var part in told)
        {
            var shown = part.Replace("'lockstep.json'", _folder["lockstep.json"], StringComparison.Ordinal);
            Assert.Contains(shown, run.Error, StringComparison.Ordinal);
        }

        Assert.DoesNotContain(".NET", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Lockstep.Cli", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("unexpected", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_told_to_end_while_it_starts_ends_in_order()
    {
        // Accepts connections and never answers.
        using var silent = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var port = ((IPEndPoint)silent.LocalEndpoint).Port;
        await using var server = ServeService.Begin(
            _folder.Path,
            [],
            "--postgres",
            $"Host=127.0.0.1;Port={port};Username=a;Timeout=60",
            "--table",
            "items"
        );
        using var connection = await silent.AcceptTcpClientAsync(Cancel);
        Assert.Equal(0, await server.TerminateAsync());
    }

    [Fact]
    public async Task A_server_that_is_told_to_end_as_soon_as_it_listens_ends_in_order()
    {
        await File.WriteAllTextAsync(_folder["lockstep.json"], """{ "listen": { "port": 0 } }""", Cancel);
        for (var times = 0; times < 4; times++)
        {
            await using var server = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json");
            Assert.Equal(0, await server.TerminateAsync());
        }
    }
}
