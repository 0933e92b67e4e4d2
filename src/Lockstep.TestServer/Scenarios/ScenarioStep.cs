using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Scenarios;

/// <summary>One step of a scenario. Immutable.</summary>
public abstract class ScenarioStep
{
    private protected ScenarioStep() { }

    /// <summary>Does it; the task ends when the next step may begin.</summary>
    /// <param name="server">Whose step it is.</param>
    /// <param name="cancellationToken">The scenario is given up, or the server stops.</param>
    internal abstract Task RunAsync(IScenarioServer server, CancellationToken cancellationToken);
}

/// <summary>Adds records to the scripted feed, as one set of updates.</summary>
/// <param name="records">JSON objects.</param>
public sealed class SendStep(IEnumerable<string> records) : ScenarioStep
{
    private readonly string[] _records = [.. records];

    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken)
    {
        server.AddRecords(_records);
        return Task.CompletedTask;
    }
}

/// <summary>Waits until at least so many clients are connected at the same time.</summary>
/// <param name="count">How many.</param>
public sealed class WaitForClientsStep(int count) : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken) =>
        server.WaitForClientsAsync(count, cancellationToken);
}

/// <summary>Waits until at least so many requests have come since the server started.</summary>
/// <param name="count">How many.</param>
public sealed class WaitForRequestsStep(long count) : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken) =>
        server.WaitForRequestsAsync(count, cancellationToken);
}

/// <summary>
/// Waits until every connected client has been sent all records that there are; before a close, so that they are not lost.
/// </summary>
public sealed class WaitForDeliveryStep : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken) =>
        server.WaitForDeliveryAsync(cancellationToken);
}

/// <summary>Adds a fault.</summary>
/// <param name="fault">The fault.</param>
/// <param name="id">Its id; null to have one given.</param>
public sealed class FaultStep(Fault fault, string? id = null) : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken)
    {
        server.Faults.Add(fault, id);
        return Task.CompletedTask;
    }
}

/// <summary>Removes a fault.</summary>
/// <param name="id">Its id; * for all faults. One that is not there is no error.</param>
public sealed class UnfaultStep(string id) : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken)
    {
        if (id == "*")
            server.Faults.Clear();
        else
            server.Faults.Remove(id);
        return Task.CompletedTask;
    }
}

/// <summary>Cuts off every response that is being sent.</summary>
/// <param name="how">With FIN or RST.</param>
public sealed class CloseStep(CutKind how) : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken)
    {
        server.CloseConnections(how);
        return Task.CompletedTask;
    }
}

/// <summary>Sends a heartbeat to all clients of the endless scripted feed.</summary>
/// <param name="kind">What it looks like.</param>
public sealed class HeartbeatStep(HeartbeatKind kind) : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken)
    {
        server.SendHeartbeat(kind);
        return Task.CompletedTask;
    }
}

/// <summary>Waits, by the server's own clock.</summary>
/// <param name="duration">Not negative.</param>
public sealed class PauseStep(TimeSpan duration) : ScenarioStep
{
    internal override Task RunAsync(IScenarioServer server, CancellationToken cancellationToken) =>
        Task.Delay(duration, server.Time, cancellationToken);
}
