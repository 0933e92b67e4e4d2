using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Scenarios;

/// <summary>What the steps of a scenario act on: a <c>LockstepTestServer</c>, whose members say the rest. Thread-safe.</summary>
internal interface IScenarioServer
{
    TimeProvider Time { get; }

    FaultList Faults { get; }

    void AddRecords(IEnumerable<string> json);

    void SendHeartbeat(HeartbeatKind kind);

    int CloseConnections(CutKind how);

    Task WaitForClientsAsync(int count, CancellationToken cancellationToken);

    Task WaitForRequestsAsync(long count, CancellationToken cancellationToken);

    Task WaitForDeliveryAsync(CancellationToken cancellationToken);
}
