extern alias module;

using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lockstep.Cli.Output;
using Lockstep.Engine.Sync;
using Lockstep.Testing;
using ModuleOutcome = module::Lockstep.SyncOutcome;

namespace Lockstep.Cli.Tests;

/// <summary>The outcome of a sync has one name and one exit code, in the code and in the document.</summary>
public sealed partial class OutcomeTests : IDisposable
{
    private const string Record = """{"id":1,"updated_at":1,"deleted_at":null}""" + "\n";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_document_the_engine_the_module_and_the_exit_codes_agree()
    {
        var rows = Row()
            .Matches(File.ReadAllText(RepositoryFile.PathOf("README.md")))
            .ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value);

        Assert.Equal(Enum.GetNames<SyncOutcome>().Skip(1), rows.Keys);
        Assert.Equal(
            Enum.GetValues<SyncOutcome>().Select(one => ((int)one, $"{one}")),
            Enum.GetValues<ModuleOutcome>().Select(one => ((int)one, $"{one}"))
        );
        foreach (var outcome in Enum.GetValues<SyncOutcome>().Where(one => one is not (SyncOutcome.None or SyncOutcome.Failed)))
        {
            var code = ExitCodes.Of(outcome, follows: false).ToString(CultureInfo.InvariantCulture);
            Assert.Equal(code, rows[$"{outcome}"].Split(',')[0]);
        }

        Assert.Equal((0, 0, 130), (ExitCodes.Of(SyncOutcome.Stopped, true), ExitCodes.Of(SyncOutcome.Complete, true), ExitCodes.Cancelled));
    }

    [Theory]
    [InlineData(SyncOutcome.Complete, 0)]
    [InlineData(SyncOutcome.Quarantined, 0)]
    [InlineData(SyncOutcome.Incomplete, 6)]
    [InlineData(SyncOutcome.Owed, 6)]
    [InlineData(SyncOutcome.Stopped, 130)]
    public void A_repair_that_did_not_take_the_whole_set_leaves_a_table_that_differs(SyncOutcome outcome, int code)
    {
        Assert.Equal(code, ExitCodes.Of(outcome, follows: false, repairs: true));
    }

    [Theory]
    [InlineData(Record, 0, "Complete")]
    [InlineData(Record + "nonsense\n", 0, "Quarantined")]
    public async Task The_result_says_it(string body, int code, string outcome)
    {
        await using var feed = new TextFeed(body);

        var run = await CliProcess.RunAsync(_folder.Path, "sync", feed.Uri, "--json", "--malformed-record", "Quarantine");

        Assert.Equal(code, run.ExitCode);
        Assert.Equal(outcome, JsonDocument.Parse(run.Lines[^1]).RootElement.GetProperty("outcome").GetString());
    }

    [GeneratedRegex(@"^\| `(\w+)` \| [^|]* \| ([^|]*?) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
