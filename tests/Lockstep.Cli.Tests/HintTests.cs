using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>What the program says of its own accord: which feed, what is missing, what was meant, what to type next.</summary>
public sealed class HintTests : IDisposable
{
    private const string Record = """{"id":1,"updated_at":1,"deleted_at":null}""" + "\n";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("-t", "servers")]
    [InlineData("-p", "servers.db")]
    [InlineData]
    public async Task A_sync_without_a_uri_syncs_the_table_with_its_own_feed_and_says_which(params string[] named)
    {
        await using var feed = new TextFeed(Record);
        await RunAsync("sync", feed.Uri, "-q");

        feed.Answer(Record + Record.Replace("1", "2", StringComparison.Ordinal));
        var run = await RunAsync(["sync", .. named]);
        var quiet = await RunAsync(["sync", "-q", .. named]);

        Assert.Equal((0, 0, ""), (run.ExitCode, quiet.ExitCode, quiet.Error));
        Assert.Contains(feed.Uri, run.Error, StringComparison.Ordinal);
        Assert.Contains("servers: 1 added", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sync_without_a_uri_of_a_table_that_is_not_there_says_what_to_type()
    {
        var named = await RunAsync("sync", "-t", "servers");
        var unnamed = await RunAsync("sync");

        Assert.Equal((4, 2), (named.ExitCode, unnamed.ExitCode));
        Assert.Contains("name its URI", named.Error, StringComparison.Ordinal);
        Assert.Contains("Name its URI", unnamed.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task An_incomplete_sync_does_not_read_as_if_it_were_complete()
    {
        await using var feed = new TextFeed("""{"items":[{"id":1}],"has_more":true}""");

        var run = await RunAsync("sync", feed.Uri, "--dialect", "Rest");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("Warning", run.Error, StringComparison.Ordinal);
        Assert.Contains("Incomplete", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("The feed ended.", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_typed_for_the_members_of_groups_is_said_and_works()
    {
        const string Body = """{"value":[{"id":"g1","members@delta":[{"id":"u1"},{"id":"u2"}]}],"@odata.deltaLink":"/x?d=1"}""";
        await using var feed = new TextFeed(Body);

        var run = await RunAsync("sync", feed.Uri, "--dialect", "ODataDelta");
        Assert.Contains(
            "sync the same feed with --table servers.members --dialect ODataDelta:members@delta too",
            run.Error,
            StringComparison.Ordinal
        );
        var members = await RunAsync("sync", feed.Uri, "--table", "servers.members", "--dialect", "ODataDelta:members@delta");
        var unnamed = await RunAsync("sync", feed.Uri, "--dialect", "ODataDelta:members@delta");

        Assert.Contains("servers.members: 2 added", members.Output, StringComparison.Ordinal);
        Assert.Contains("servers.members: ", unnamed.Output, StringComparison.Ordinal);
        Assert.Equal((0, 0, ""), (run.ExitCode, members.ExitCode, members.Error));
    }

    [Fact]
    public async Task Test_says_what_repairs_a_difference_and_nothing_about_first_loads()
    {
        var body = string.Concat(Enumerable.Range(1, 40_000).Reverse().Select(i => Numbered(i, 300)));
        await using var feed = new TextFeed(body);
        await RunAsync("sync", feed.Uri, "-q");

        var equal = await RunAsync("test");
        feed.Answer(body + Numbered(0, 0));
        var differs = await RunAsync("test");
        var json = await RunAsync("test", "--json");
        var repaired = await RunAsync("repair");

        Assert.Equal((0, ""), (equal.ExitCode, equal.Error));
        Assert.Equal((6, 6, 0), (differs.ExitCode, json.ExitCode, repaired.ExitCode));
        Assert.Contains("'lockstep repair'", differs.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("first load", differs.Error + repaired.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("'lockstep repair'", json.Output + repaired.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("backup", "servers.db/copy.db", "-t", "servers")]
    [InlineData("backup", "servers.db/a/b/copy.db", "-t", "servers")]
    [InlineData("sync", "http://127.0.0.1:9/x/", "-p", "servers.db/x.db")]
    [InlineData("var", "set", "a", "1", "--store", "servers.db/x.db")]
    public async Task A_path_below_a_file_is_told_that_it_is_a_file(params string[] arguments)
    {
        await using var feed = new TextFeed(Record);
        await RunAsync("sync", feed.Uri, "-q");

        var run = await RunAsync(arguments);

        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains($"'{_folder["servers.db"]}' is a file, not a folder", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("reate", run.Error.Replace("created", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tables", "servers")]
    [InlineData("tables", "servres.db")]
    [InlineData("records", "-p", "servers")]
    [InlineData("records", "-t", "server")]
    [InlineData("test", "-t", "servrs")]
    public async Task A_table_file_that_is_misspelt_is_offered(params string[] arguments)
    {
        await using var feed = new TextFeed(Record);
        await RunAsync("sync", feed.Uri, "-q");

        var run = await RunAsync(arguments);

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("Did you mean 'servers.db'?", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("clear")]
    [InlineData("clear", "--quarantined")]
    [InlineData("records", "--json")]
    [InlineData("test")]
    [InlineData("repair")]
    [InlineData("index", "id")]
    [InlineData("backup", "copy.db")]
    [InlineData("sync")]
    [InlineData("serve", "--port", "0")]
    public async Task A_table_of_another_name_than_the_file_holds_is_refused_and_untouched(params string[] arguments)
    {
        await using var feed = new TextFeed(Record);
        await RunAsync("sync", feed.Uri, "-q");

        var run = await RunAsync([.. arguments, "-t", "other", "-p", "servers.db"]);
        var kept = await RunAsync("records", "-t", "servers", "-p", "servers.db", "--json");

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("holds the table 'servers', not 'other'", run.Error, StringComparison.Ordinal);
        Assert.Contains("[TableMismatch]", run.Error, StringComparison.Ordinal);
        Assert.Single(kept.Lines);
        Assert.False(File.Exists(_folder["copy.db"]));
    }

    [Fact]
    public async Task A_table_in_a_database_is_not_cleared_unless_it_is_named()
    {
        var run = await RunAsync("clear", "--postgres", "Host=127.0.0.1;Port=1;Username=a");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("Name the table with --table.", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sync", "http://127.0.0.1:9/x/", "-p", "folder")]
    [InlineData("sync", "http://127.0.0.1:9/x/", "-p", "folder/")]
    [InlineData("sync", "http://127.0.0.1:9/x/", "-t", "named")]
    [InlineData("sync", "-p", "folder")]
    [InlineData("records", "-p", "folder")]
    [InlineData("clear", "-p", "folder")]
    [InlineData("serve", "-p", "folder", "--port", "0")]
    public async Task A_folder_in_place_of_a_table_file_is_told_that_it_is_a_folder(params string[] arguments)
    {
        Directory.CreateDirectory(_folder["folder"]);
        Directory.CreateDirectory(_folder["named.db"]);

        var run = await RunAsync(arguments);

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("is a folder. A table is a file.", run.Error, StringComparison.Ordinal);
        Assert.Contains("Name a file in it with --path", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("SQLite", run.Error, StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
    }

    [Fact]
    public async Task Help_is_a_word_too()
    {
        foreach ((var words, var options) in ((string[], string[])[])[(["help"], ["--help"]), (["help", "sync"], ["sync", "--help"])])
        {
            CliProcess word = await RunAsync(words),
                option = await RunAsync(options);
            Assert.Equal((0, option.Output, ""), (word.ExitCode, word.Output, word.Error));
        }

        var nested = await RunAsync("help", "var", "set");
        var misspelt = await RunAsync("help", "snyc");

        Assert.Contains("var set", nested.Output, StringComparison.Ordinal);
        Assert.Equal(2, misspelt.ExitCode);
        Assert.Contains("Did you mean 'sync'?", misspelt.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_first_load_that_was_cut_off_is_said_by_all_that_show_or_copy_the_table()
    {
        await using var feed = new TextFeed(Record + "nonsense");
        await RunAsync("sync", feed.Uri, "-q");

        var tables = await RunAsync("tables");
        var json = await RunAsync("tables", "--json");
        var records = await RunAsync("records", "--json");
        var backup = await RunAsync("backup", "copy.db", "-t", "servers");
        feed.Answer(Record);
        await RunAsync("sync", feed.Uri, "-q");
        var whole = await RunAsync("records", "-t", "servers", "--json");

        Assert.Contains("first load unfinished", tables.Output, StringComparison.Ordinal);
        Assert.Contains("\"loadUnfinished\":true", json.Output, StringComparison.Ordinal);
        Assert.Single(records.Lines);
        foreach (var run in (CliProcess[])[records, backup])
            Assert.Contains("The first load of 'servers' has not ended", run.Error, StringComparison.Ordinal);
        Assert.Equal((0, ""), (whole.ExitCode, whole.Error));
    }

    [Theory]
    [InlineData("The path is empty.", "tables", "")]
    [InlineData("The destination is empty.", "backup", "", "-t", "servers")]
    [InlineData("The value of --path is empty.", "records", "-p", "")]
    [InlineData("lockstep sync -t servers", "sync", "servers")]
    public async Task What_is_empty_or_in_the_wrong_place_is_named(string says, params string[] arguments)
    {
        var run = await RunAsync(arguments);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nosuch")]
    [InlineData("nosuch.json")]
    public async Task A_dialect_that_does_not_exist_is_told_with_one_full_stop(string dialect)
    {
        var run = await RunAsync("sync", "http://127.0.0.1:9/x/", "--dialect", dialect);

        Assert.Equal(2, run.ExitCode);
        Assert.DoesNotContain("..", run.Error, StringComparison.Ordinal);
    }

    private static string Numbered(int id, int padding) =>
        $$"""{"id":{{id}},"updated_at":{{id}},"deleted_at":null,"text":"{{new string('x', padding)}}"}""" + "\n";

    private Task<CliProcess> RunAsync(params string[] arguments) => CliProcess.RunAsync(_folder.Path, arguments);
}
