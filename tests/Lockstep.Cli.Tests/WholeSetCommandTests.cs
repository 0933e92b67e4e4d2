using System.Text.Json;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Cli.Tests;

/// <summary>What `lockstep sync` and `lockstep tables` say of a whole set that could not be taken as it is.</summary>
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

    private static Task<LockstepTestServer> StartAsync() =>
        LockstepTestServer.StartAsync(
            new TestServerOptions { Port = 0, Feed = FeedKind.Finite },
            cancellationToken: TestContext.Current.CancellationToken
        );

    private Task<CliProcess> SyncAsync(LockstepTestServer server, params string[] options) =>
        CliProcess.RunAsync(_folder.Path, ["sync", server.FeedUri.AbsoluteUri, .. options]);
}
