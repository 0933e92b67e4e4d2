namespace Lockstep.TestServer.Scenarios;

/// <summary>Adds records to the scripted feed, as one set of updates.</summary>
/// <param name="records">JSON objects.</param>
public sealed class SendStep(IEnumerable<string> records) : ScenarioStep
{
    private readonly string[] _records = [.. records];

    internal override Task RunAsync(LockstepTestServer server, CancellationToken cancellationToken)
    {
        server.AddRecords(_records);
        return Task.CompletedTask;
    }
}
