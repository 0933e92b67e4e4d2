using System.Management.Automation;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Bases;
using Lockstep.Engine;
using Lockstep.Gossip;
using Lockstep.Parameters;
using Lockstep.Pipeline;

namespace Lockstep.Commands;

/// <summary>Offers models to peers.</summary>
[Cmdlet(
    VerbsLifecycle.Start,
    "LockstepModelListener",
    DefaultParameterSetName = ByAddress,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low
)]
[OutputType(typeof(ModelListenerInfo))]
public sealed class StartLockstepModelListenerCommand : ModelsCmdlet
{
    private const string ByAddress = "Address";
    private const string ByPipe = "Pipe";
    private readonly List<SessionModel> _models = [];

    /// <summary>The port; 0 for a free one.</summary>
    [Parameter(ParameterSetName = ByAddress)]
    [ValidateRange(0, IPEndPoint.MaxPort)]
    public int Port { get; set; }

    /// <summary>The address to listen on; by default loopback. Anyone who can reach it may read and change the models.</summary>
    [Parameter(ParameterSetName = ByAddress)]
    [ValidateNotNull]
    public IPAddress ListenAddress { get; set; } = IPAddress.Loopback;

    /// <summary>Uses WebSocket instead of plain TCP, with each model at the path that is its name.</summary>
    [Parameter(ParameterSetName = ByAddress)]
    public SwitchParameter WebSocket { get; set; }

    /// <summary>Listens on a named pipe of this name instead, for the same user on this machine.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ByPipe)]
    [ValidateNotNullOrEmpty]
    public string? PipeName { get; set; }

    /// <summary>A certificate with its private key: uses TLS, <c>tls</c> or with -WebSocket <c>wss</c>.</summary>
    [Parameter(ParameterSetName = ByAddress)]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>
    /// With -WebSocket: host names that requests may use. IP addresses are always allowed, and localhost if it listens on loopback; web
    /// pages under any other name cannot reach it.
    /// </summary>
    [Parameter(ParameterSetName = ByAddress)]
    [ValidateNotNullOrEmpty]
    public string[] AllowedHost { get; set; } = [];

    /// <summary>
    /// With -WebSocket: the web pages of other sites that may connect, each by its origin such as <c>https://app.example</c>.
    /// </summary>
    [Parameter(ParameterSetName = ByAddress)]
    [ValidateNotNullOrEmpty]
    public string[] AllowedOrigin { get; set; } = [];

    /// <summary>In which direction changes go.</summary>
    [Parameter]
    public ModelDirection Direction { get; set; }

    private protected override object? ErrorTarget => base.ErrorTarget ?? PipeName ?? (object)Port;

    private protected override void Process() => ForEachModel(_models.Add);

    private protected override void End()
    {
        // Each named model has already reported its error, so there is nothing to offer.
        if (
            _models.Count == 0
            || !ShouldProcess(PipeName ?? $"{ListenAddress}:{Port}", $"Offer {string.Join(", ", _models.Select(model => model.Name))}")
        )
        {
            return;
        }

        if (Certificate is { HasPrivateKey: false })
        {
            throw new InvalidOptionException(
                "The certificate has no private key, and a listener needs it.",
                "Give one with its key, as Get-PfxCertificate reads it."
            );
        }

        var place = new ListeningPlace(new IPEndPoint(ListenAddress, Port), PipeName, WebSocket, Certificate)
        {
            Site = SiteParameters.Read(AllowedHost, AllowedOrigin),
        };
        var session = SessionListener.StartAsync(place, Direction, _models, StopToken).GetAwaiter().GetResult();
        var listener = new ModelListenerInfo(session);
        RunspaceModels.Current.Add(listener);
        WriteObject(listener);
    }
}

/// <summary>Lists the running model listeners of this session.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepModelListener")]
[OutputType(typeof(ModelListenerInfo))]
public sealed class GetLockstepModelListenerCommand : LockstepCmdlet
{
    private protected override void Process() => WriteObject(RunspaceModels.Current.Listeners, enumerateCollection: true);
}

/// <summary>Stops model listeners, and ends the connections that peers made to them. The models stay.</summary>
[Cmdlet(VerbsLifecycle.Stop, "LockstepModelListener", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class StopLockstepModelListenerCommand : LockstepCmdlet
{
    /// <summary>The listeners; the only running one if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ValidateNotNull]
    public ModelListenerInfo[]? Listener { get; set; }

    private protected override void Process()
    {
        foreach (var listener in Listener ?? [RunspaceModels.Current.OnlyListener])
        {
            if (ShouldProcess(listener.ToString(), "Stop the model listener"))
                Await(SessionListener.Of(listener).DisposeAsync());
        }
    }
}
