using Lockstep.TestServer.Faults;

namespace Lockstep.TestServer.Scenarios;

/// <summary>Adds a fault.</summary>
/// <param name="fault">The fault.</param>
/// <param name="id">Its id; null to have one given.</param>
public sealed class FaultStep(Fault fault, string? id = null) : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken)
    {
        server.Faults.Add(fault, id);
        return Task.CompletedTask;
    }
}
