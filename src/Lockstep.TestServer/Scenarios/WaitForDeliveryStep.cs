namespace Lockstep.TestServer.Scenarios;

/// <summary>
/// Waits until every connected client has been sent all records that there are; before a close, so that they are not lost.
/// </summary>
public sealed class WaitForDeliveryStep : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken) =>
        server.WaitForDeliveryAsync(cancellationToken);
}
