namespace Lockstep.TestServer.Scenarios;

/// <summary>One step of a scenario. Immutable.</summary>
public abstract class ScenarioStep
{
    private protected ScenarioStep() { }

    /// <summary>Does it; the task ends when the next step may begin.</summary>
    /// <param name="server">Whose step it is.</param>
    /// <param name="cancellationToken">The scenario is given up, or the server stops.</param>
    internal abstract Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken);
}
