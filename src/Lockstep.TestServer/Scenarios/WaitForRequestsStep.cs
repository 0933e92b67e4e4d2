namespace Lockstep.TestServer.Scenarios;

/// <summary>Waits until at least so many requests have come since the server started.</summary>
/// <param name="count">How many.</param>
public sealed class WaitForRequestsStep(long count) : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken) =>
        server.WaitForRequestsAsync(count, cancellationToken);
}
