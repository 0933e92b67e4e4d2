namespace Lockstep.TestServer.Scenarios;

/// <summary>Waits until at least so many clients are connected at the same time.</summary>
/// <param name="count">How many.</param>
public sealed class WaitForClientsStep(int count) : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken) =>
        server.WaitForClientsAsync(count, cancellationToken);
}
