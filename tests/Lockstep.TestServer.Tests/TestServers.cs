using Lockstep.Testing;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.TestServer.Tests;

/// <summary>Servers on free ports.</summary>
internal static class TestServers
{
    public static Task<LockstepTestServer> StartAsync(FeedKind feed, CancellationToken cancellationToken) =>
        LockstepTestServer.StartAsync(new TestServerOptions { Port = 0, Feed = feed }, cancellationToken: cancellationToken);

    public static Task<LockstepTestServer> StartScriptedAsync(
        CancellationToken cancellationToken,
        Action<ScriptedFeedOptions>? configure = null,
        params string[] records
    )
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            Records = records,
        };
        configure?.Invoke(options.Scripted);
        return LockstepTestServer.StartAsync(options, cancellationToken: cancellationToken);
    }

    /// <summary>Waits until the only request of a server has ended: its client knows that before the log does.</summary>
    public static async Task<TestRequest> EndOfOnlyRequestAsync(this LockstepTestServer server)
    {
        var request = Assert.Single(server.Requests);
        await Eventually.TrueAsync(() => request.Ending != RequestEnding.Open);
        return request;
    }

    /// <summary>Waits until a scenario has reached a step, which it does at its own pace.</summary>
    public static Task WaitForStepAsync(this ScenarioRun run, int step) => Eventually.TrueAsync(() => run.Step >= step);
}
