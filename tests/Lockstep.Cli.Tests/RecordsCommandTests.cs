using System.Text.Json;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Cli.Tests;

/// <summary>What records, and sync --pass-thru, print of records with unusual formatting.</summary>
public sealed class RecordsCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_record_that_came_on_several_lines_is_printed_on_one()
    {
        const string Record = "{\r\n  \"id\": 1,\n  \"updated_at\": 1,\n  \"v\": \"a\\nb\"\n}";

        var sync = await SyncAsync("--pass-thru", Record);
        var records = await CliProcess.RunAsync(_folder.Path, "records", "--json");

        var change = Assert.Single(sync.Lines, line => line.Contains("\"kind\"", StringComparison.Ordinal));
        Assert.Equal("a\nb", JsonDocument.Parse(change).RootElement.GetProperty("record").GetProperty("v").GetString());
        Assert.Equal("a\nb", JsonDocument.Parse(Assert.Single(records.Lines)).RootElement.GetProperty("v").GetString());
    }

    [Fact]
    public async Task Half_a_surrogate_pair_is_printed_like_other_text()
    {
        await SyncAsync("--quiet", """{"id":1,"updated_at":1,"v":"half \uD800"}""", """{"id":2,"updated_at":2,"v":"whole"}""");

        var table = await CliProcess.RunAsync(_folder.Path, "records");
        var json = await CliProcess.RunAsync(_folder.Path, "records", "--json");

        Assert.Equal((0, 0), (table.ExitCode, json.ExitCode));
        Assert.Contains("half ", table.Output, StringComparison.Ordinal);
        Assert.Contains("whole", table.Output, StringComparison.Ordinal);
        Assert.Contains("\\uD800", json.Lines[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--filter-parameter", "v=01234", 1)]
    [InlineData("--filter-parameter", "v=0042", 2)]
    [InlineData("--filter-parameter", "v=9e5", 3)]
    [InlineData("--filter-parameter", "v=1,000", 4)]
    [InlineData("--filter-parameter", "v=7", 5)]
    [InlineData("--filter-text", "v=7", 6)]
    [InlineData("--filter-parameter", "v=-1.5", 7)]
    [InlineData("--filter-parameter", "v=12345678901234567890", 8)]
    public async Task A_value_for_a_filter_is_text_unless_it_is_a_number_as_JSON_writes_it(string option, string value, int id)
    {
        string[] values = ["\"01234\"", "\"0042\"", "\"9e5\"", "\"1,000\"", "7", "\"7\"", "-1.5", "12345678901234567890"];
        await SyncAsync("--quiet", [.. values.Select((v, at) => $$"""{"id":{{at + 1}},"updated_at":{{at + 1}},"v":{{v}}}""")]);

        var run = await CliProcess.RunAsync(_folder.Path, "records", "--filter", "v = :v", option, value, "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Equal(id, JsonDocument.Parse(Assert.Single(run.Lines)).RootElement.GetProperty("id").GetInt32());
    }

    private async Task<CliProcess> SyncAsync(string option, params string[] records)
    {
        await using var server = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Scripted,
                Records = records,
            },
            cancellationToken: TestContext.Current.CancellationToken
        );
        var run = await CliProcess.RunAsync(_folder.Path, "sync", server.FeedUri.AbsoluteUri, "--settle-sec", "0.2", option);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        return run;
    }
}
