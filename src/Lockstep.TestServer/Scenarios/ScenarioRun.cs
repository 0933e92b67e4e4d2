namespace Lockstep.TestServer.Scenarios;

/// <summary>A scenario that was started on a server. Its state moves on; any thread may read it.</summary>
public sealed class ScenarioRun
{
    private volatile int _step;
    private volatile ScenarioState _state;

    internal ScenarioRun(Scenario scenario, IScenarioServer server, CancellationToken cancellationToken)
    {
        Scenario = scenario;
        Completion = Task.Run(() => RunAsync(server, cancellationToken), CancellationToken.None);
    }

    /// <summary>What is run.</summary>
    public Scenario Scenario { get; }

    /// <summary>The step that is being done, counted from 1; the last one when all are done.</summary>
    public int Step => _step;

    /// <summary>How it goes.</summary>
    public ScenarioState State => _state;

    /// <summary>Why it failed; null unless <see cref="State"/> is <see cref="ScenarioState.Failed"/>.</summary>
    public string? Error { get; private set; }

    /// <summary>Ends with the last step. Fails with the error of a step that failed, and is cancelled when the server stops.</summary>
    public Task Completion { get; }

    private async Task RunAsync(IScenarioServer server, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var step in Scenario.Steps)
            {
                cancellationToken.ThrowIfCancellationRequested();
                _step++;
                await step.RunAsync(server, cancellationToken).ConfigureAwait(false);
            }
            _state = ScenarioState.Completed;
        }
        catch (OperationCanceledException)
        {
            _state = ScenarioState.Stopped;
            throw;
        }
        catch (Exception error)
        {
            Error = error.Message;
            _state = ScenarioState.Failed;
            throw;
        }
    }
}

/// <summary>How a scenario goes.</summary>
public enum ScenarioState
{
    /// <summary>Steps are still to be done.</summary>
    Running,

    /// <summary>All steps were done.</summary>
    Completed,

    /// <summary>The server stopped, or the scenario was given up.</summary>
    Stopped,

    /// <summary>A step failed.</summary>
    Failed,
}
