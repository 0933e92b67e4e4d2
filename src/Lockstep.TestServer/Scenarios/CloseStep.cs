using Lockstep.Serving.Hosting;

namespace Lockstep.TestServer.Scenarios;

/// <summary>Cuts off every response that is being sent.</summary>
/// <param name="how">With FIN or RST.</param>
public sealed class CloseStep(CutKind how) : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken)
    {
        server.CloseConnections(how);
        return Task.CompletedTask;
    }
}
