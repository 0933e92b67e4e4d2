using System.Diagnostics;
using System.Text.Json;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Cli.Tests;

/// <summary>sync, records, tables, testserver and quickstart, each as a process of its own.</summary>
public sealed class MainCommandsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--bogus", "records", "--bogus")]
    [InlineData("-p", "tables", "-p", "x.db")]
    [InlineData("--nosuch", "sync", "--nosuch", "http://127.0.0.1:1/")]
    [InlineData("--nosuch", "index", "-t", "servers", "--nosuch")]
    public async Task An_option_that_is_not_there_is_named_and_never_taken_for_an_argument(string option, params string[] arguments)
    {
        var run = await CliProcess.RunAsync(_folder.Path, arguments);

        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith($"There is no option '{option}'.", run.Error, StringComparison.Ordinal);
        Assert.Contains($"lockstep {arguments[0]} --help", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quickstart_shows_the_five_records_and_the_resume()
    {
        var run = await CliProcess.RunAsync(_folder.Path, "quickstart");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("5 added", run.Output, StringComparison.Ordinal);
        Assert.Contains("124  1001                    0.0.0.0  1235", run.Output, StringComparison.Ordinal);
        Assert.Contains("0 added, 0 updated, 0 deleted", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_sync_does_is_logged_to_the_standard_error_as_text_or_as_json()
    {
        await using var server = await StartAsync(FeedKind.Finite);
        var uri = server.FeedUri.AbsoluteUri;

        var json = await CliProcess.RunAsync(_folder.Path, "sync", uri, "--log-level", "Debug", "--log-format", "Json");
        var text = await CliProcess.RunAsync(_folder.Path, "sync", uri, "--log-level", "information");
        var none = await CliProcess.RunAsync(_folder.Path, "sync", uri);

        var lines = json
            .Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .ToList();
        Assert.Contains(
            lines,
            line => line.GetProperty("event").GetString() == "Connect" && line.GetProperty("level").GetString() == "Debug"
        );
        Assert.Equal(1, lines[^1].GetProperty("fields").GetProperty("Added").GetInt32());
        Assert.Matches(@"^\d{4}-\d\d-\d\dT[\d:.]+Z Information Lockstep\.Sync\[1\] ", text.Error);
        Assert.DoesNotContain("Connected", text.Error, StringComparison.Ordinal);
        Assert.Equal("", none.Error);
    }

    [Fact]
    public async Task A_synced_table_is_read_listed_and_goes_on_from_its_cursor()
    {
        await using var server = await StartAsync(FeedKind.Finite);
        var uri = server.FeedUri.AbsoluteUri;

        var first = await CliProcess.RunAsync(_folder.Path, "sync", uri, "--json");
        var second = await CliProcess.RunAsync(_folder.Path, "sync", uri, "--json");
        var records = await CliProcess.RunAsync(_folder.Path, "records", "--json");
        var tables = await CliProcess.RunAsync(_folder.Path, "tables", "--json");

        var result = JsonDocument.Parse(first.Output).RootElement;
        Assert.Equal(
            (0, 1, 1, "1000", "EndOfFeed"),
            (
                first.ExitCode,
                result.GetProperty("added").GetInt32(),
                result.GetProperty("deleted").GetInt32(),
                result.GetProperty("cursor").GetString(),
                result.GetProperty("endReason").GetString()
            )
        );
        Assert.Equal(0, JsonDocument.Parse(second.Output).RootElement.GetProperty("added").GetInt32());
        Assert.Equal("1000", server.Requests[^1].Cursor);
        Assert.Equal(123, JsonDocument.Parse(Assert.Single(records.Lines)).RootElement.GetProperty("id").GetInt32());
        var table = JsonDocument.Parse(Assert.Single(tables.Lines)).RootElement;
        Assert.Equal(
            ("servers", 1, 1),
            (table.GetProperty("name").GetString(), table.GetProperty("rows").GetInt32(), table.GetProperty("tombstones").GetInt32())
        );
    }

    [Fact]
    public async Task Changes_are_printed_as_they_are_committed()
    {
        await using var server = await StartAsync(FeedKind.Finite);

        var run = await CliProcess.RunAsync(_folder.Path, "sync", server.FeedUri.AbsoluteUri, "--path", "t.db", "--pass-thru", "--quiet");

        Assert.Equal(["Added", "Deleted"], run.Lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("kind").GetString()));
    }

    [Fact]
    public async Task A_filter_takes_parameters_and_refuses_what_is_no_expression()
    {
        await using var server = await StartAsync(FeedKind.Reference);
        await CliProcess.RunAsync(_folder.Path, "sync", server.FeedUri.AbsoluteUri, "--settle-sec", "0.2", "--quiet");

        var some = await CliProcess.RunAsync(
            _folder.Path,
            "records",
            "--filter",
            "port > :least",
            "--filter-parameter",
            "least=1236",
            "--json"
        );
        var wrong = await CliProcess.RunAsync(_folder.Path, "records", "--filter", "port > 1; DROP TABLE lockstep_row");

        Assert.Equal(2, some.Lines.Count);
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("Filter", wrong.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "http:// or https://", "sync", "ftp://127.0.0.1/x")]
    [InlineData(3, "FeedUnreachable", "sync", "http://127.0.0.1:1/x/")]
    [InlineData(3, "with --follow or --maximum-retry-count", "sync", "http://127.0.0.1:1/x/")]
    [InlineData(4, "TableNotFound", "records")]
    [InlineData(4, "TableNotFound", "records", "--table", "nothing")]
    [InlineData(2, "--help", "sync")]
    public async Task What_is_wrong_ends_in_its_exit_code_and_leaves_nothing_behind(int exitCode, string says, params string[] arguments)
    {
        var run = await CliProcess.RunAsync(_folder.Path, arguments);

        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_file_of_another_feed_and_a_file_that_is_no_table_are_refused()
    {
        await using var server = await StartAsync(FeedKind.Finite);
        await CliProcess.RunAsync(_folder.Path, "sync", server.FeedUri.AbsoluteUri, "--path", "t.db");
        await File.WriteAllTextAsync(_folder["text.db"], new string('x', 4096), TestContext.Current.CancellationToken);

        var other = await CliProcess.RunAsync(_folder.Path, "sync", server.Uri.AbsoluteUri + "others/", "--path", "t.db");
        var text = await CliProcess.RunAsync(_folder.Path, "sync", server.FeedUri.AbsoluteUri, "--path", "text.db");

        Assert.Equal((4, 4), (other.ExitCode, text.ExitCode));
        Assert.Contains("TableMismatch", other.Error, StringComparison.Ordinal);
        Assert.Contains("TableFile", text.Error, StringComparison.Ordinal);
        Assert.Equal(new string('x', 4096), await File.ReadAllTextAsync(_folder["text.db"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_table_in_PostgreSQL_is_synced_read_and_listed_like_a_file()
    {
        await using var postgres = await PostgresServer.StartAsync(TestContext.Current.CancellationToken);
        await using var origin = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Scripted,
                Records = ["""{"id":7,"updated_at":1,"deleted_at":null}""", """{"id":8,"updated_at":2,"deleted_at":null}"""],
            },
            cancellationToken: TestContext.Current.CancellationToken
        );
        string[] database = ["--postgres", postgres.ConnectionString];

        Assert.Contains(
            "\"added\":2",
            await RunAsync(["sync", origin.FeedUri.AbsoluteUri, "--settle-sec", "0.2", "--json", "--table", "shared"]),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "\"added\":0",
            await RunAsync(["sync", origin.FeedUri.AbsoluteUri, "--settle-sec", "0.2", "--json", "--table", "shared"]),
            StringComparison.Ordinal
        );
        Assert.Equal("""{"id":8,"updated_at":2,"deleted_at":null}""" + "\n", await RunAsync(["records", "--filter", "id > 7", "--json"]));
        Assert.Contains("\"name\":\"shared\"", await RunAsync(["tables", "--json"]), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));

        var both = await CliProcess.RunAsync(_folder.Path, ["records", "--path", "x.db", .. database]);
        Assert.Equal(2, both.ExitCode);
        var away = await CliProcess.RunAsync(_folder.Path, "tables", "--postgres", "postgres://me:s3cret@127.0.0.1:1/db");
        Assert.Equal(3, away.ExitCode);
        Assert.DoesNotContain("s3cret", away.Error, StringComparison.Ordinal);

        async Task<string> RunAsync(string[] arguments)
        {
            var run = await CliProcess.RunAsync(_folder.Path, [.. arguments, .. database]);
            Assert.True(run.ExitCode == 0, run.Error);
            return run.Output;
        }
    }

    [Fact]
    public async Task Tables_of_PostgreSQL_are_tracked_and_no_longer()
    {
        await using var postgres = await PostgresServer.StartAsync(TestContext.Current.CancellationToken);
        await postgres.RunSqlAsync(
            "CREATE TABLE items (id int PRIMARY KEY, deleted boolean); CREATE TABLE others (id int PRIMARY KEY)",
            TestContext.Current.CancellationToken
        );

        var plan = await RunAsync("items", "--plan");
        Assert.Contains("CREATE TRIGGER zz_lockstep_stamp", plan.Output, StringComparison.Ordinal);
        Assert.Equal("items: tracked.\npublic.others: tracked.\n", (await RunAsync("items", "public.others")).Output);
        Assert.Equal("items: tracked already.\n", (await RunAsync("items")).Output);
        Assert.Equal("items: tracked.\n", (await RunAsync("items", "--soft-delete", "--notify")).Output);
        Assert.Equal("items: tracked already.\n", (await RunAsync("items", "--soft-delete", "true")).Output);
        Assert.Equal("", (await RunAsync("items", "--soft-delete=false", "--no-notify", "-q")).Output);
        Assert.Equal("items: no longer tracked.\n", (await RunAsync("items", "--off")).Output);
        Assert.Equal("items: was not tracked.\n", (await RunAsync("items", "--off")).Output);

        var missing = await RunAsync("nothing");
        Assert.Equal(4, missing.ExitCode);
        Assert.Contains("There is no table nothing", missing.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync("items", "--off", "--notify")).ExitCode);
        var unnamed = await CliProcess.RunAsync(_folder.Path, "track", "items");
        Assert.Equal(2, unnamed.ExitCode);
        Assert.Contains("without a value, it takes the one in LOCKSTEP_POSTGRES", unnamed.Error, StringComparison.Ordinal);

        Task<CliProcess> RunAsync(params string[] arguments) =>
            CliProcess.RunAsync(_folder.Path, ["track", .. arguments, "--postgres", postgres.ConnectionString]);
    }

    [Theory]
    [InlineData("--record", "{\"id\":1")]
    [InlineData("--record", "[1]")]
    [InlineData("--path", "bad")]
    [InlineData("--path", "nosuch")]
    [InlineData("--scenario", "bad")]
    [InlineData("--scenario", "nosuch")]
    [InlineData("--replay", "bad")]
    [InlineData("--replay", "nosuch")]
    [InlineData("--feed", "replay")]
    [InlineData("--speed", "-1")]
    [InlineData("--redirect-host", "a b")]
    public async Task What_the_test_server_cannot_serve_is_one_line_and_exit_code_2(string option, string value)
    {
        await File.WriteAllTextAsync(_folder["bad"], "{\"id\":1\n}", TestContext.Current.CancellationToken);

        var run = await CliProcess.RunAsync(_folder.Path, "testserver", "--port", "0", option, value);

        Assert.Equal(2, run.ExitCode);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.DoesNotContain("Parameter '", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_test_server_serves_records_of_the_command_line()
    {
        using var server = CliProcess.Start(
            _folder.Path,
            "testserver",
            "--port",
            "0",
            "--record",
            """{"id":7,"updated_at":1,"deleted_at":null}"""
        );
        try
        {
            Assert.StartsWith(
                "Listening on port ",
                await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken),
                StringComparison.Ordinal
            );
            var uri = (await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!;

            var sync = await CliProcess.RunAsync(_folder.Path, "sync", uri, "--settle-sec", "0.2", "--json");

            Assert.Equal(1, JsonDocument.Parse(sync.Output).RootElement.GetProperty("added").GetInt32());
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_feed_is_recorded_and_the_test_server_replays_it()
    {
        await using var server = await StartAsync(FeedKind.Finite);

        var record = await CliProcess.RunAsync(
            _folder.Path,
            "testserver",
            "--record-from",
            server.FeedUri.AbsoluteUri,
            "--record-to",
            "feed.rec"
        );

        Assert.Equal((0, ""), (record.ExitCode, record.Error));
        Assert.Contains("Recorded 147 bytes of a 200 answer", record.Output, StringComparison.Ordinal);
        using var replay = CliProcess.Start(_folder.Path, "testserver", "--port", "0", "--replay", "feed.rec", "--speed", "1000");
        try
        {
            await replay.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            var uri = (await replay.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!;
            var sync = await CliProcess.RunAsync(_folder.Path, "sync", uri, "--json");
            var result = JsonDocument.Parse(sync.Output).RootElement;
            Assert.Equal((1, 1), (result.GetProperty("added").GetInt32(), result.GetProperty("deleted").GetInt32()));
        }
        finally
        {
            replay.Kill();
            await replay.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(2, (await CliProcess.RunAsync(_folder.Path, "testserver", "--record-to", "x")).ExitCode);
    }

    private static Task<LockstepTestServer> StartAsync(FeedKind feed) =>
        LockstepTestServer.StartAsync(
            new TestServerOptions { Port = 0, Feed = feed },
            cancellationToken: TestContext.Current.CancellationToken
        );
}
