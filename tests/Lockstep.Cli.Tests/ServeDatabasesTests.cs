using System.Net;
using System.Net.Http.Headers;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>What lockstep serve --config serves from several databases, under which names, and to whom.</summary>
public sealed class ServeDatabasesTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly HttpClient _client = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Each_database_has_its_tables_names_and_readers_and_one_that_is_down_stops_no_other()
    {
        await using var postgres = await PostgresServer.StartAsync(Cancel);
        const string Columns = "(id int PRIMARY KEY, txid bigint DEFAULT 1, deleted boolean DEFAULT false)";
        var environment = new Dictionary<string, string> { ["MASTER"] = "of-all", ["LIMITED"] = "of-some" };
        foreach (var name in (string[])["FIRST", "SECOND", "THIRD"])
        {
            environment[name] = await postgres.CreateDatabaseAsync(Cancel);
            await RunAsync(
                environment[name],
                $"CREATE TABLE items {Columns}; CREATE TABLE tmp_items {Columns}; CREATE TABLE orders {Columns};"
                    + $"CREATE VIEW report AS SELECT '{name}' AS who, 1 AS n; INSERT INTO items VALUES ({environment.Count})"
            );
        }

        environment["DOWN"] = $"Host=127.0.0.1;Port={PostgresServer.FreePort()};Username=a;Database=a;Timeout=5";
        await File.WriteAllTextAsync(
            _folder["lockstep.json"],
            """
            {
                "listen": { "port": 0 },
                "databases": [
                    { "connectionVariable": "DOWN", "tables": ["public.*"], "prefix": "down-" },
                    {
                        "connectionVariable": "FIRST", "prefix": "first-",
                        "tables": ["public.*"], "exclude": ["public.tmp_*", "public.orders"],
                        "feeds": [{ "table": "public.report", "name": "daily report", "key": ["who"] }], "pollIntervalSeconds": 0.1
                    },
                    { "connectionVariable": "SECOND", "tables": ["public.items", "public.orders"], "pollIntervalSeconds": 0.1 },
                    { "connectionVariable": "THIRD", "tables": ["public.items"], "pollIntervalSeconds": 0.1 }
                ],
                "credentials": [
                    { "tokenVariable": "MASTER" },
                    { "tokenVariable": "LIMITED", "feeds": ["first-items", "first-daily report"] },
                    { "user": "me", "passwordVariable": "LIMITED", "feeds": ["orders"] }
                ]
            }
            """,
            Cancel
        );
        await using var server = await ServeService.StartAsync(_folder.Path, environment, "--config", "lockstep.json");
        var master = new AuthenticationHeaderValue("Bearer", "of-all");
        var limited = new AuthenticationHeaderValue("Bearer", "of-some");
        var user = new AuthenticationHeaderValue("Basic", Convert.ToBase64String("me:of-some"u8));

        // The table of a name that is taken has its schema too.
        (string Feed, string Row)[] served =
        [
            ("first-items", "\"id\":3"),
            ("items", "\"id\":4"),
            ("public.items", "\"id\":5"),
            ("first-daily%20report", "\"who\":\"FIRST\""),
        ];
        foreach (var (feed, row) in served)
        {
            await Eventually.TrueAsync(async () => await StatusAsync(feed, master) == HttpStatusCode.OK, feed);
            Assert.Contains(row, await FirstLineAsync(feed, master), StringComparison.Ordinal);
        }

        await Eventually.TrueAsync(async () => await StatusAsync("orders", user) == HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("first-items", limited));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("first-daily%20report", limited));
        foreach (var (feed, credential) in new[] { ("items", limited), ("orders", limited), ("first-items", user) })
            Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(feed, credential));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("items", null));

        // What is excluded may still turn out to be a table of the database that is down.
        foreach (var feed in (string[])["first-tmp_items", "first-orders", "tmp_items", "first-report"])
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(feed, master));
        await Eventually.TrueAsync(() => server.Error.Contains("databases: ", StringComparison.Ordinal));
        Assert.Equal(0, await server.TerminateAsync());

        async Task<HttpStatusCode> StatusAsync(string feed, AuthenticationHeaderValue? authorization)
        {
            using var answer = await SendAsync(feed, authorization);
            return answer.StatusCode;
        }

        async Task<string> FirstLineAsync(string feed, AuthenticationHeaderValue authorization)
        {
            using var answer = await SendAsync(feed, authorization);
            using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancel));
            return await lines.ReadLineAsync(Cancel) ?? "";
        }

        Task<HttpResponseMessage> SendAsync(string feed, AuthenticationHeaderValue? authorization)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, feed)) { Headers = { Authorization = authorization } };
            return _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        }
    }

    [Fact]
    public async Task A_name_never_leads_to_the_table_of_another_database_because_the_own_one_is_down()
    {
        await using var postgres = await PostgresServer.StartAsync(Cancel);
        var environment = new Dictionary<string, string>();
        foreach (var name in (string[])["FIRST", "SECOND"])
        {
            environment[name] = await postgres.CreateDatabaseAsync(Cancel);
            await RunAsync(
                environment[name],
                "CREATE TABLE items (id text PRIMARY KEY, txid bigint DEFAULT 1, deleted boolean DEFAULT false);"
                    + $"INSERT INTO items VALUES ('{name}')"
            );
        }

        var first = new Npgsql.NpgsqlConnectionStringBuilder(environment["FIRST"]).Database!;
        await File.WriteAllTextAsync(
            _folder["lockstep.json"],
            """
            {
                "listen": { "port": 0 },
                "databases": [
                    { "connectionVariable": "FIRST", "tables": ["public.*"], "pollIntervalSeconds": 0.1 },
                    { "connectionVariable": "SECOND", "tables": ["public.*"], "pollIntervalSeconds": 0.1 }
                ]
            }
            """,
            Cancel
        );
        await CloseAsync();
        await using var server = await ServeService.StartAsync(_folder.Path, environment, "--config", "lockstep.json");
        await Eventually.TrueAsync(() => server.Error.Contains("prefix", StringComparison.Ordinal), server.Error);
        Assert.Null(await FirstRowAsync("items"));

        await postgres.RunSqlAsync($"ALTER DATABASE {first} ALLOW_CONNECTIONS true", Cancel);
        await Eventually.TrueAsync(async () => await FirstRowAsync("items") == "FIRST");
        await Eventually.TrueAsync(async () => await FirstRowAsync("public.items") == "SECOND");

        // A look at the databases while the first is down; the new table shows that it has taken place.
        await CloseAsync();
        await RunAsync(
            environment["SECOND"],
            "CREATE TABLE later (id text PRIMARY KEY, txid bigint DEFAULT 1, deleted boolean DEFAULT false);"
                + "INSERT INTO later VALUES ('SECOND')"
        );
        server.Signal("HUP");
        await Eventually.TrueAsync(async () => await FirstRowAsync("later") == "SECOND");
        Assert.NotEqual("SECOND", await FirstRowAsync("items"));
        Assert.Equal("SECOND", await FirstRowAsync("public.items"));

        await postgres.RunSqlAsync($"ALTER DATABASE {first} ALLOW_CONNECTIONS true", Cancel);
        await Eventually.TrueAsync(async () => await FirstRowAsync("items") == "FIRST");
        Assert.Equal(0, await server.TerminateAsync());

        Task CloseAsync() =>
            postgres.RunSqlAsync(
                $"ALTER DATABASE {first} ALLOW_CONNECTIONS false;"
                    + $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{first}'",
                Cancel
            );

        async Task<string?> FirstRowAsync(string feed)
        {
            using var answer = await _client.GetAsync(new Uri(server.Uri, feed), HttpCompletionOption.ResponseHeadersRead, Cancel);
            if (answer.StatusCode != HttpStatusCode.OK)
                return null;
            using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancel));
            using var row = System.Text.Json.JsonDocument.Parse((await lines.ReadLineAsync(Cancel))!);
            return row.RootElement.GetProperty("data").GetProperty("id").GetString();
        }
    }

    private static async Task RunAsync(string connection, string sql)
    {
        await using var source = Npgsql.NpgsqlDataSource.Create(connection + ";Pooling=false");
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
