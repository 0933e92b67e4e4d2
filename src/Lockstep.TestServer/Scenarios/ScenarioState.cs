namespace Lockstep.TestServer.Scenarios;

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
