namespace Lockstep.TestServer.Scenarios;

/// <summary>Removes a fault.</summary>
/// <param name="id">Its id; * for all faults. One that is not there is no error.</param>
public sealed class UnfaultStep(string id) : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken)
    {
        if (id == "*")
            server.Faults.Clear();
        else
            server.Faults.Remove(id);
        return Task.CompletedTask;
    }
}
