using System.Management.Automation;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Peers;
using Lockstep.Pipeline;

namespace Lockstep.Commands;

/// <summary>Keeps a model connected to a peer: connects at once, and again whenever the connection breaks.</summary>
[Cmdlet(VerbsCommunications.Connect, "LockstepModel", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(ModelConnectionInfo))]
public sealed class ConnectLockstepModelCommand : LockstepCmdlet
{
    private static readonly string[] Schemes = ["tcp", "tls", "ws", "wss", "pipe"];

    /// <summary>The model, or its name; the only one of the session if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ArgumentCompleter(typeof(ModelCompleter))]
    public ModelReference? Model { get; set; }

    /// <summary>
    /// The peer: <c>tcp://host:port</c> or <c>tls://host:port</c>, with <c>/name</c> if it offers several models, <c>ws://</c> or
    /// <c>wss://host:port/name</c>, or <c>pipe://localhost/pipe</c>, with <c>/name</c> likewise.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    public Uri Uri { get; set; } = null!;

    /// <summary>In which direction changes go.</summary>
    [Parameter]
    public ModelDirection Direction { get; set; }

    /// <summary>How many attempts may fail in a row before it gives up; by default any number.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? MaximumRetryCount { get; set; }

    /// <summary>
    /// Certificates to trust as the peer's own or its issuer's, with <c>tls</c> and <c>wss</c>, besides those that the system trusts.
    /// </summary>
    [Parameter]
    public X509Certificate2[] TrustedCertificate { get; set; } = [];

    /// <summary>Accepts any certificate from the peer, including an impostor's.</summary>
    [Parameter]
    public SwitchParameter SkipCertificateCheck { get; set; }

    // Never the URI as given: it may hold a secret (I9).
    private protected override object? ErrorTarget => Model?.ToString();

    private protected override void Process()
    {
        var model = RunspaceModels.Find(Model);
        if (!Uri.IsAbsoluteUri || !Schemes.Contains(Uri.Scheme))
        {
            throw new InvalidOptionException(
                $"A peer's URI begins with {string.Join(", ", Schemes.Select(scheme => scheme + "://"))}.",
                "Give the whole URI with -Uri, as a listener's Uri has it."
            );
        }

        if (Uri.UserInfo.Length > 0)
            throw new InvalidOptionException("A peer's URI has no user and password: peers do not use them.", "Leave them out.");

        if (!ShouldProcess(model.Name, $"Connect to {Uri.GetLeftPart(UriPartial.Path)}"))
            return;

        try
        {
            WriteObject(model.Connect(Uri, Direction, MaximumRetryCount, GossipTrust.Dial([.. TrustedCertificate], SkipCertificateCheck)));
        }
        catch (ArgumentException)
        {
            throw new InvalidOptionException(
                "The URI lacks a host, a port or a name.",
                "Give it as tcp://host:port, ws://host:port/name or pipe://host/name."
            );
        }
    }
}

/// <summary>Ends connections that this session opened. The model stays.</summary>
[Cmdlet(VerbsCommunications.Disconnect, "LockstepModel", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class DisconnectLockstepModelCommand : ModelsCmdlet
{
    /// <summary>Only the connections to these peers; all of the model's if none is given.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    public Uri[]? Uri { get; set; }

    private protected override void Process() => ForEachModel(Disconnect);

    private void Disconnect(SessionModel model)
    {
        foreach (var connection in model.Connections.Where(connection => Uri?.Contains(connection.Uri) ?? true))
        {
            if (ShouldProcess(model.Name, $"Disconnect from {connection}"))
                model.DisconnectAsync(connection).GetAwaiter().GetResult();
        }
    }
}
