using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;

namespace Lockstep.Cli.Tests;

/// <summary>backup, clear, test and repair, and what sync and tables say of the quarantine.</summary>
public sealed class TableCommandsTests : IDisposable
{
    private const string Record = """{"id":123,"updated_at":999,"deleted_at":null}""" + "\n";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_backup_is_a_whole_table_and_overwrites_only_with_force()
    {
        await using var server = new TextFeed(Record);
        await RunAsync("sync", server.Uri, "-q");

        var first = await RunAsync("backup", "copy.db", "-t", "servers");
        var second = await RunAsync("backup", "copy.db", "-t", "servers");
        var third = await RunAsync("backup", "copy.db", "-t", "servers", "--force", "-q");
        var records = await RunAsync("records", "-p", "copy.db", "--json");

        Assert.Equal((0, 4, 0, ""), (first.ExitCode, second.ExitCode, third.ExitCode, third.Output));
        foreach (var target in new[] { "no/x.db", "no/" })
        {
            var nowhere = await RunAsync("backup", target, "-t", "servers");
            Assert.Equal(4, nowhere.ExitCode);
            Assert.Contains($"The folder '{_folder["no"]}' does not exist.", nowhere.Error, StringComparison.Ordinal);
            Assert.Contains("<destination>", nowhere.Error, StringComparison.Ordinal);
        }

        Assert.Contains("servers: 1 records copied", first.Output, StringComparison.Ordinal);
        Assert.Contains("--force", second.Error, StringComparison.Ordinal);
        Assert.Contains("123", Assert.Single(records.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_private_table_is_for_its_users_eyes_only()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Files on Windows have the permissions of their folder.");
            return;
        }

        await using var server = new TextFeed(Record);

        var synced = await RunAsync("sync", server.Uri, "-q", "--private");
        var inDatabase = await RunAsync("sync", server.Uri, "-q", "--private", "--postgres", "Host=nowhere.invalid");

        Assert.Equal((0, 2), (synced.ExitCode, inDatabase.ExitCode));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["servers.db"]));
        Assert.Contains("--private is for table files", inDatabase.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_of_commands_shows_what_may_be_left_out()
    {
        var all = await RunAsync("--help");
        var gossip = await RunAsync("gossip", "--help");
        var wrong = await RunAsync("gossip", "get", "key", "--uri", "tcp://127.0.0.1:1");

        Assert.Contains("\n  tables [<path>...]  ", all.Output, StringComparison.Ordinal);
        Assert.Contains("\n  backup <destination>  Copy", all.Output, StringComparison.Ordinal);
        Assert.Contains("\n  get [<key>...]  ", gossip.Output, StringComparison.Ordinal);
        Assert.Contains("\n  send <event> [<argument>...]  Send", gossip.Output, StringComparison.Ordinal);
        Assert.Contains("Did you mean '--peer'?", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dialect_that_does_not_exist_is_a_wrong_command_line()
    {
        var run = await RunAsync("sync", "http://127.0.0.1:1/x/", "--dialect", "CouchDBB");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("Did you mean 'Couch", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_cannot_be_reached_is_named_with_the_reason()
    {
        var run = await RunAsync("serve", "--postgres", "postgres://me:hunter2@127.0.0.1:9/x", "-t", "hosts", "--port", "0");

        Assert.Equal(3, run.ExitCode);
        Assert.Contains("PostgreSQL at 127.0.0.1:9 cannot be reached for hosts: Connection refused.", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Index_sets_prints_and_drops_what_filters_find_by()
    {
        await using var server = new TextFeed(Record);
        await RunAsync("sync", server.Uri, "-q");

        var set = await RunAsync("index", "-t", "servers", "id", "updated_at");
        var printed = await RunAsync("index", "-t", "servers");
        var unknown = await RunAsync("index", "-t", "servers", "nosuch");
        var found = await RunAsync("records", "--filter", "id = 123", "--json");
        var dropped = await RunAsync("index", "--none");

        Assert.Equal((0, "servers: id, updated_at."), (set.ExitCode, set.Output.TrimEnd()));
        Assert.Equal(set.Output, printed.Output);
        Assert.Equal(1, unknown.ExitCode);
        Assert.Contains("deleted_at", unknown.Error, StringComparison.Ordinal);
        Assert.Single(found.Lines);
        Assert.Equal("servers: no index.", dropped.Output.TrimEnd());
    }

    [Fact]
    public async Task Test_tells_by_its_exit_code_whether_a_table_differs_from_its_feed_and_repair_ends_that()
    {
        await using var server = new TextFeed(Record);
        await RunAsync("sync", server.Uri, "-q");

        var equal = await RunAsync("test");
        server.Answer(Record + """{"id":7,"updated_at":5,"deleted_at":null}""");
        var differs = await RunAsync("test", "--json");
        var repaired = await RunAsync("repair", "-q");
        var again = await RunAsync("test", "-q");

        Assert.Equal((0, "servers equals its feed."), (equal.ExitCode, equal.Output.TrimEnd()));
        Assert.Equal((6, 2), (differs.ExitCode, differs.Lines.Count));
        var difference = JsonDocument.Parse(differs.Lines[0]).RootElement;
        Assert.Equal(
            ("Missing", "7", 5, JsonValueKind.Null),
            (
                difference.GetProperty("kind").GetString(),
                difference.GetProperty("key").GetString(),
                difference.GetProperty("expected").GetProperty("updated_at").GetInt32(),
                difference.GetProperty("actual").ValueKind
            )
        );
        Assert.Equal((0, 0, ""), (repaired.ExitCode, again.ExitCode, again.Output));
    }

    [Fact]
    public async Task A_feed_that_has_become_empty_differs_from_its_table_and_repair_empties_that()
    {
        const string End = """{"control":true,"type":"snapshot_completed","timestamp":1,"since":9}""" + "\n";
        const string Row = """{"txid":7,"current_xmin":9,"since":7,"deleted":false,"data":{"id":1,"name":"a"}}""" + "\n";
        await using var server = new TextFeed(Row + End);
        await RunAsync("sync", server.Uri, "-q");

        server.Answer("""{"control":true,"type":"heartbeat","timestamp":1,"since":9}""" + "\n" + End);
        var differs = await RunAsync("test");
        var repaired = await RunAsync("repair", "-q");
        var again = await RunAsync("test");
        var records = await RunAsync("records");

        Assert.Equal((6, ""), (differs.ExitCode, differs.Error));
        Assert.Contains("1 extra", differs.Output, StringComparison.Ordinal);
        Assert.Equal((0, 0, ""), (repaired.ExitCode, again.ExitCode, records.Output));
    }

    [Fact]
    public async Task The_quarantine_is_counted_in_the_result_and_the_list_and_can_be_emptied()
    {
        await using var server = new TextFeed(Record + "nonsense\n");

        var sync = await RunAsync("sync", server.Uri, "--malformed-record", "Quarantine");
        var unnamed = await RunAsync("clear", "--quarantined");
        var before = await RunAsync("tables", "--json");
        var cleared = await RunAsync("clear", "-t", "servers", "--quarantined");
        var after = await RunAsync("tables", "--json");

        Assert.Equal((0, 2), (sync.ExitCode, unnamed.ExitCode));
        Assert.Contains("in quarantine", sync.Output, StringComparison.Ordinal);
        Assert.Contains("the quarantine holds", sync.Error, StringComparison.Ordinal);
        Assert.True(Quarantined(before) > 0);
        Assert.Contains("malformed records removed", cleared.Output, StringComparison.Ordinal);
        Assert.Equal(0, Quarantined(after));
        Assert.Equal(1, JsonDocument.Parse(after.Lines[0]).RootElement.GetProperty("rows").GetInt32());
    }

    [Fact]
    public async Task A_feed_at_another_port_is_taken_with_rebind()
    {
        await using (var server = new TextFeed(Record))
            await RunAsync("sync", server.Uri, "-q");
        await using var moved = new TextFeed(Record);

        var refused = await RunAsync("sync", moved.Uri, "-q");
        var bound = await RunAsync("sync", moved.Uri, "-q", "--rebind");
        var after = await RunAsync("sync", moved.Uri, "-q");

        Assert.Equal((4, 0, 0), (refused.ExitCode, bound.ExitCode, after.ExitCode));
        Assert.Contains("--rebind", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Secret_headers_and_query_options_come_from_files_and_the_environment_and_are_shown_nowhere()
    {
        await using var server = new TextFeed(Record);
        await File.WriteAllTextAsync(_folder["headers"], "X-One: s3cret-1\nX-Two: s3cret-2\n", Cancellation);
        await File.WriteAllTextAsync(_folder["query"], "key=s3cret-3\nmode=full\n", Cancellation);
        var environment = new Dictionary<string, string>
        {
            ["LOCKSTEP_HEADER"] = "X-Three: s3cret-4",
            ["LOCKSTEP_QUERY"] = "sig=s3cret-5",
            ["LOCKSTEP_TOKEN"] = "s3cret-6",
        };

        using var sync = CliProcess.Start(
            _folder.Path,
            environment,
            ["sync", server.Uri, "--header-file", "headers", "--query-file", "query", "--log-level", "Trace"]
        );
        var output = sync.StandardOutput.ReadToEndAsync(Cancellation);
        var error = await sync.StandardError.ReadToEndAsync(Cancellation);
        await sync.WaitForExitAsync(Cancellation);

        Assert.Equal(0, sync.ExitCode);
        var head = Assert.Single(server.Requests);
        foreach (var sent in (string[])["X-One: s3cret-1", "X-Two: s3cret-2", "X-Three: s3cret-4", "Authorization: Bearer s3cret-6"])
            Assert.Contains(sent, head, StringComparison.Ordinal);
        foreach (var sent in (string[])["key=s3cret-3", "mode=full", "sig=s3cret-5"])
            Assert.Contains(sent, head.Split('\n')[0], StringComparison.Ordinal);
        var bytes = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(_folder["servers.db"], Cancellation));
        var tables = await RunAsync("tables", "--json");
        Assert.DoesNotContain("s3cret", await output + error + bytes + tables.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_that_a_reader_still_needs_is_said_to_belong_to_the_table()
    {
        await using var server = new TextFeed(Record);
        var first = await RunAsync("sync", server.Uri);
        await using var reader = new SqliteConnection($"Data Source={_folder["servers.db"]};Pooling=False");
        reader.Open();
        await using var reading = reader.BeginTransaction(deferred: true);
        await using var command = reader.CreateCommand();
        command.CommandText = "SELECT count(*) FROM lockstep_row";
        Assert.Equal(1L, command.ExecuteScalar());

        server.Answer(Record + """{"id":7,"updated_at":1000,"deleted_at":null}""" + "\n");
        var second = await RunAsync("sync", server.Uri);

        Assert.Equal((0, ""), (first.ExitCode, first.Error));
        Assert.Equal(0, second.ExitCode);
        Assert.Contains("a part of the table is in servers.db-wal", second.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tables_names_what_cannot_be_read_in_a_folder_and_goes_on()
    {
        await using var server = new TextFeed(Record);
        foreach (var name in (string[])["good", "torn", "view", "wal"])
            await RunAsync("sync", server.Uri, "-q", "-p", name + ".db");
        await File.WriteAllBytesAsync(
            _folder["torn.db"],
            (await File.ReadAllBytesAsync(_folder["torn.db"], Cancellation))[..4096],
            Cancellation
        );
        await using (var connection = new SqliteConnection($"Data Source={_folder["view.db"]};Pooling=False"))
        {
            connection.Open();
            await using var command = connection.CreateCommand();
            command.CommandText =
                "DROP TABLE lockstep_quarantine; CREATE VIEW lockstep_quarantine AS "
                + "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c";
            await command.ExecuteNonQueryAsync(Cancellation);
        }

        if (!OperatingSystem.IsWindows())
        {
            MakePipe("pipe.db");
            MakePipe("wal.db-wal");
        }

        var run = await RunAsync("tables", "--json");

        Assert.Contains("good.db", run.Lines.Select(line => Path.GetFileName(PathIn(line))));
        Assert.Contains("torn.db", run.Error, StringComparison.Ordinal);
        Assert.Contains("view.db", run.Error, StringComparison.Ordinal);
        Assert.Equal(OperatingSystem.IsWindows(), !run.Error.Contains("wal.db", StringComparison.Ordinal));
        Assert.Equal(4, run.ExitCode);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string PathIn(string line) => JsonDocument.Parse(line).RootElement.GetProperty("path").GetString()!;

    [Fact]
    public async Task A_file_that_is_no_table_is_refused_and_nothing_is_left_beside_it()
    {
        await File.WriteAllTextAsync(_folder["x.db"], "no table", TestContext.Current.CancellationToken);
        await using var feed = new TextFeed(Record);

        var refused = await RunAsync("sync", feed.Uri, "--path", "x.db");

        Assert.Equal(4, refused.ExitCode);
        Assert.Equal(["x.db"], Directory.EnumerateFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Tables_are_listed_with_their_dialect_and_file()
    {
        await using var feed = new TextFeed(Record);
        await RunAsync("sync", feed.Uri, "--path", "some.db", "-q");

        var lines = (await RunAsync("tables")).Lines;

        Assert.Matches(@"^Name .*Dialect +Path +Feed *$", lines[0]);
        Assert.Matches(@"Record +some\.db +http", lines[2]);
    }

    [Fact]
    public async Task Who_clears_a_table_that_is_being_written_is_told_to_stop_that_and_of_no_option_that_is_not_there()
    {
        await using var feed = new TextFeed(Record);
        await RunAsync("sync", feed.Uri, "--path", "busy.db", "-q");
        var before = feed.Requests.Count;
        using var sync = CliProcess.Start(_folder.Path, "sync", feed.Uri, "--path", "busy.db", "--follow", "-q");
        try
        {
            await Eventually.TrueAsync(() => feed.Requests.Count > before);
            var cleared = await RunAsync("clear", "--path", "busy.db", "--quarantined");
            Assert.Equal(4, cleared.ExitCode);
            Assert.Contains("Stop that sync", cleared.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("--wait", cleared.Error, StringComparison.Ordinal);

            var second = await RunAsync("sync", feed.Uri, "--path", "busy.db");
            Assert.Equal(4, second.ExitCode);
            Assert.DoesNotContain("-wal", second.Error, StringComparison.Ordinal);
        }
        finally
        {
            sync.Kill();
        }
    }

    [Fact]
    public async Task Who_follows_a_polled_feed_is_told_once_that_all_has_come_and_of_no_wait()
    {
        await using var feed = new TextFeed("""[{"id":1,"updated_at":"2026-01-01T00:00:00Z"}]""");

        var run = await RunAsync(
            "sync",
            feed.Uri,
            "--path",
            "polled.db",
            "--dialect",
            "Rest",
            "--interval-sec",
            "0.2",
            "--follow-for",
            "8"
        );

        Assert.Equal(2, run.Lines.Count);
        Assert.Contains("(1 record in ", run.Lines[0], StringComparison.Ordinal);
        Assert.Contains(" Following.", run.Lines[0], StringComparison.Ordinal);
        Assert.Contains(" The time is up.", run.Lines[1], StringComparison.Ordinal);
        Assert.DoesNotContain("asked again", run.Error, StringComparison.Ordinal);
    }

    private void MakePipe(string name)
    {
        using var mkfifo = Process.Start("mkfifo", [_folder[name]]);
        mkfifo.WaitForExit();
        Assert.Equal(0, mkfifo.ExitCode);
    }

    private static int Quarantined(CliProcess tables) =>
        JsonDocument.Parse(Assert.Single(tables.Lines)).RootElement.GetProperty("quarantined").GetInt32();

    private Task<CliProcess> RunAsync(params string[] arguments) => CliProcess.RunAsync(_folder.Path, arguments);
}
