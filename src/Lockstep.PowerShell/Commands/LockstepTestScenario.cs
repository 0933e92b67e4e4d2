using System.Management.Automation;
using Lockstep.Completers;
using Lockstep.Pipeline;
using Lockstep.Sessions;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>Runs a scenario on a test server and waits until it ends.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "LockstepTestScenario", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class InvokeLockstepTestScenarioCommand : LockstepCmdlet
{
    /// <summary>Steps as hashtables, such as <c>@{ waitForClients = 1 }, @{ send = @{ id = 1 } }</c>, or the path of a JSON file.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    public object[] Scenario { get; set; } = [];

    /// <summary>The server; the only running one if none is given.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    public TestServerInfo? Server { get; set; }

    /// <summary>Does not wait for it to end.</summary>
    [Parameter]
    public SwitchParameter NoWait { get; set; }

    private protected override object? ErrorTarget => Server;

    private protected override void End()
    {
        var server = Server ?? SessionServers<TestServerInfo>.Current.Only;
        var scenario = ScenarioTexts.Read(Scenario, SessionState.Path);
        if (!ShouldProcess(server.ToString(), $"Run a scenario of {scenario.Steps.Count} steps"))
            return;

        var run = server.Server.Server.StartScenario(scenario);
        if (!NoWait)
            run.Completion.WaitAsync(StopToken).GetAwaiter().GetResult();
    }
}
