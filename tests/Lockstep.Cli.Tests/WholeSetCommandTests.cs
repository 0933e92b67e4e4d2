using System.Text;
using System.Text.Json;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Cli.Tests;

/// <summary>What `lockstep sync` and `lockstep tables` say of a whole set that could not be accepted as it is.</summary>
public sealed class WholeSetCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_whole_set_that_cannot_be_read_in_full_is_owed_and_says_so()
    {
        await using var server = await StartAsync();
        await SyncAsync(server);
        server.Faults.Add(new GarbageFault { Text = "oops\n", AtRecord = 1 });

        var run = await SyncAsync(server, "--resync", "--malformed-record", "Quarantine");
        var json = await SyncAsync(server, "--resync", "--malformed-record", "Quarantine", "--json");
        var tables = await CliProcess.RunAsync(_folder.Path, "tables", "--json");
        var text = await CliProcess.RunAsync(_folder.Path, "tables");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("fetched again later", run.Output, StringComparison.Ordinal);
        Assert.Contains("nothing was removed", run.Error, StringComparison.Ordinal);
        Assert.True(JsonDocument.Parse(json.Output).RootElement.GetProperty("setOwed").GetBoolean());
        Assert.True(JsonDocument.Parse(tables.Output).RootElement.GetProperty("setOwed").GetBoolean());
        Assert.Contains("whole set owed", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_whole_set_that_would_remove_most_of_the_table_is_refused_with_an_exit_code_of_its_own()
    {
        await using var server = await StartAsync();
        server.Faults.Add(new RechunkFault());
        await SyncAsync(server);
        var records = string.Concat(Enumerable.Range(1, 30).Select(id => $$"""{"id":{{id}},"updated_at":1}""" + "\n"));
        await ImportAsync(records);

        var refused = await SyncAsync(server, "--resync");
        var forced = await SyncAsync(server, "--resync", "--force", "--sweep-limit", "90");
        var tables = await CliProcess.RunAsync(_folder.Path, "tables", "--json");

        Assert.Equal((7, 0), (refused.ExitCode, forced.ExitCode));
        Assert.Contains("30 of 31 records", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        Assert.Contains("30 deleted", forced.Output, StringComparison.Ordinal);
        Assert.Equal(90, JsonDocument.Parse(tables.Output).RootElement.GetProperty("sweepLimit").GetInt32());
    }

    private async Task ImportAsync(string records)
    {
        using var source = new MemoryStream(Encoding.UTF8.GetBytes(records));
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = new Uri("import:test") },
            Store = new FileTableStore(_folder["servers.db"]),
        };
        await foreach (var _ in new TableImport(options, source).RunAsync(TestContext.Current.CancellationToken)) { }
    }

    private static Task<LockstepTestServer> StartAsync() =>
        LockstepTestServer.StartAsync(
            new TestServerOptions { Port = 0, Feed = FeedKind.Finite },
            cancellationToken: TestContext.Current.CancellationToken
        );

    private Task<CliProcess> SyncAsync(LockstepTestServer server, params string[] options) =>
        CliProcess.RunAsync(_folder.Path, ["sync", server.FeedUri.AbsoluteUri, .. options]);
}
