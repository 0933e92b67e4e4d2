using System.Management.Automation;
using System.Net;
using Lockstep.Models;

namespace Lockstep.Commands;

/// <summary>Offers models to peers.</summary>
[Cmdlet(VerbsLifecycle.Start, "LockstepModelListener", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(ModelListenerInfo))]
public sealed class StartLockstepModelListenerCommand : ModelsCmdlet
{
    private readonly List<SessionModel> _models = [];

    /// <summary>The port; 0 for a free one.</summary>
    [Parameter]
    [ValidateRange(0, IPEndPoint.MaxPort)]
    public int Port { get; set; }

    /// <summary>The address to listen on; loopback unless told otherwise. Whoever reaches it may read and change the models.</summary>
    [Parameter]
    [ValidateNotNull]
    public IPAddress ListenAddress { get; set; } = IPAddress.Loopback;

    /// <summary>Speaks over WebSocket, a model at the path that is its name, instead of plain TCP.</summary>
    [Parameter]
    public SwitchParameter WebSocket { get; set; }

    /// <summary>Which way changes go.</summary>
    [Parameter]
    public ModelDirection Direction { get; set; }

    private protected override object? ErrorTarget => base.ErrorTarget ?? Port;

    private protected override void Process() => ForEachModel(_models.Add);

    private protected override void End()
    {
        // Where each model that was named has got its error, there is nothing left to offer.
        if (_models.Count == 0 || !ShouldProcess($"{ListenAddress}:{Port}", $"Offer {string.Join(", ", _models.Select(model => model.Name))}"))
            return;

        var session = SessionListener.StartAsync(new IPEndPoint(ListenAddress, Port), WebSocket, Direction, _models, StopToken).GetAwaiter().GetResult();
        var listener = new ModelListenerInfo(session);
        RunspaceModels.Current.Add(listener);
        WriteObject(listener);
    }
}

/// <summary>Lists the model listeners that run in this session.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepModelListener")]
[OutputType(typeof(ModelListenerInfo))]
public sealed class GetLockstepModelListenerCommand : LockstepCmdlet
{
    private protected override void Process() => WriteObject(RunspaceModels.Current.Listeners, enumerateCollection: true);
}

/// <summary>Stops model listeners, and ends the connections that peers have made to them. The models stay.</summary>
[Cmdlet(VerbsLifecycle.Stop, "LockstepModelListener", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class StopLockstepModelListenerCommand : LockstepCmdlet
{
    /// <summary>The listeners; the only one that runs if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ValidateNotNull]
    public ModelListenerInfo[]? Listener { get; set; }

    private protected override void Process()
    {
        foreach (var listener in Listener ?? [RunspaceModels.Current.OnlyListener])
        {
            if (ShouldProcess(listener.ToString(), "Stop the model listener"))
                Await(listener.Session.DisposeAsync());
        }
    }
}
