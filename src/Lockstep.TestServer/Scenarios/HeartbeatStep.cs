using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Scenarios;

/// <summary>Sends a heartbeat to all clients of the endless scripted feed.</summary>
/// <param name="kind">What it looks like.</param>
public sealed class HeartbeatStep(HeartbeatKind kind) : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken)
    {
        server.SendHeartbeat(kind);
        return Task.CompletedTask;
    }
}
