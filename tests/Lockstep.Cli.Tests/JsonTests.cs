using System.Text.Json;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>With JSON output there is always a line that says how the command ended, whatever happens.</summary>
public sealed class JsonTests : IDisposable
{
    private const string Record = """{"id":1,"updated_at":1,"deleted_at":null}""" + "\n";

    private readonly TempFolder _folder = new();

    public static TheoryData<string, int, string> Failures =>
        new()
        {
            { "sync http://127.0.0.1:1/x/ --maximum-retry-count 0", 3, "FeedUnreachable" },
            { "sync http://127.0.0.1:1/x/ --path nowhere/x.db", 4, "TableFile" },
            { "sync http://127.0.0.1:1/x/ --table a/b", 2, "Usage" },
            { "sync http://127.0.0.1:1/x/ --settle-sec abc", 2, "Usage" },
            { "sync", 2, "Usage" },
            { "test --table nosuch", 4, "TableNotFound" },
            { "repair --table nosuch", 4, "TableNotFound" },
            { "tables nosuch", 4, "TableNotFound" },
            { "tables --postgres Hst=1", 2, "Usage" },
            { "var get x --store nosuch.db", 3, "TickStoreUnavailable" },
            { "var set x nonsense --store x.db", 2, "Usage" },
            { "var set x 1 --store nowhere/x.db", 3, "TickStoreUnavailable" },
            { "var list --store Hst=localhost;Database=x", 2, "Usage" },
            { "gossip get a --path nowhere/x", 4, "GossipStore" },
        };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task What_fails_says_so_in_its_last_line(string command, int code, string id)
    {
        var run = await CliProcess.RunAsync(_folder.Path, [.. command.Split(' '), "--json"]);

        Assert.Equal(code, run.ExitCode);
        Assert.NotEmpty(run.Error);
        using var line = JsonDocument.Parse(Assert.Single(run.Lines));
        Assert.Equal("Failed", line.RootElement.GetProperty("outcome").GetString());
        Assert.Equal(code, line.RootElement.GetProperty("exitCode").GetInt32());
        var error = line.RootElement.GetProperty("error");
        Assert.Equal(id, error.GetProperty("id").GetString());
        Assert.Contains(error.GetProperty("message").GetString()!, run.Error, StringComparison.Ordinal);
        Assert.Equal(id != "Usage", error.GetProperty("action").GetString() is not null);
    }

    [Fact]
    public async Task What_is_not_there_is_said_in_json_too()
    {
        Assert.Equal(0, (await CliProcess.RunAsync(_folder.Path, "var", "set", "x", "1", "--store", "v.db")).ExitCode);

        var run = await CliProcess.RunAsync(_folder.Path, "var", "get", "y", "--store", "v.db", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("There is no variable 'y'", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Records_are_the_only_lines_of_records()
    {
        var run = await CliProcess.RunAsync(_folder.Path, "records", "-t", "nosuch", "--json");

        Assert.Equal((4, ""), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task A_comparison_ends_with_what_it_found()
    {
        await using var feed = new TextFeed(Record);
        await CliProcess.RunAsync(_folder.Path, "sync", feed.Uri, "-t", "t", "-q");

        var equal = await CliProcess.RunAsync(_folder.Path, "test", "-t", "t", "--json");
        var nothing = await CliProcess.RunAsync(_folder.Path, "repair", "-t", "t", "--json");
        feed.Answer(Record.Replace(":1,", ":2,", StringComparison.Ordinal));
        var different = await CliProcess.RunAsync(_folder.Path, "test", "-t", "t", "--json");
        var repaired = await CliProcess.RunAsync(_folder.Path, "repair", "-t", "t", "--json");

        Assert.Equal("""{"table":"t","missing":0,"extra":0,"different":0,"outcome":"Equal"}""", Assert.Single(equal.Lines));
        Assert.Equal(equal.Output, nothing.Output);
        Assert.Equal(6, different.ExitCode);
        Assert.Equal("""{"table":"t","missing":1,"extra":1,"different":0,"outcome":"Different"}""", different.Lines[^1]);
        Assert.Equal(3, different.Lines.Count);
        Assert.Equal("Complete", JsonDocument.Parse(Assert.Single(repaired.Lines)).RootElement.GetProperty("outcome").GetString());
    }

    [Theory]
    [InlineData("recrods", "'records'")]
    [InlineData("var gte x", "'get'")]
    [InlineData("records --fliter x", "'--filter'")]
    [InlineData("var get x --stroe y", "'--store'")]
    public async Task A_word_that_is_nearly_right_is_answered_with_the_right_one(string command, string meant)
    {
        var run = await CliProcess.RunAsync(_folder.Path, command.Split(' '));

        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"Did you mean {meant}?", run.Error, StringComparison.Ordinal);
    }
}
