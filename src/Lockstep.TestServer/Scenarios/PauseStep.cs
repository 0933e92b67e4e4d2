namespace Lockstep.TestServer.Scenarios;

/// <summary>Waits, by the server's own clock.</summary>
/// <param name="duration">Not negative.</param>
public sealed class PauseStep(TimeSpan duration) : ScenarioStep
{
    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken) =>
        Task.Delay(duration, server.Time, cancellationToken);
}
