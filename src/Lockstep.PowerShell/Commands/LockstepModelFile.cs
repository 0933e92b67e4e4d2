using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Engine;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Peers;
using Lockstep.Parameters;

namespace Lockstep.Commands;

/// <summary>Writes a model to a file of JSON lines, in the format of npm scuttlebutt.</summary>
[Cmdlet(VerbsData.Export, "LockstepModel", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(FileInfo), ParameterSetName = [nameof(PassThru)])]
public sealed class ExportLockstepModelCommand : ModelCmdlet
{
    /// <summary>The file. It appears once it is complete.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    public string Destination { get; set; } = "";

    /// <summary>Overwrites an existing file.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Returns the file.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process()
    {
        var model = FindModel();
        var path = FileSystemPath.ResolveLiteral(SessionState.Path, Destination);
        if (File.Exists(path) && !Force)
            throw new InvalidOptionException($"The file '{path}' already exists.", "Overwrite it with -Force, or name another.");

        if (!ShouldProcess(model.Name, $"Export to {path}"))
            return;

        GossipFile.ExportAsync(model.Node, path, StopToken).GetAwaiter().GetResult();
        if (PassThru)
            WriteObject(new FileInfo(path));
    }
}

/// <summary>Imports a file of JSON lines, written by npm scuttlebutt or Export-LockstepModel, into a model.</summary>
[Cmdlet(VerbsData.Import, "LockstepModel", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class ImportLockstepModelCommand : ModelCmdlet
{
    /// <summary>The file. What the model already knows stays; signatures are verified like a peer's.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    private protected override object? ErrorTarget => Path;

    private protected override void Process()
    {
        var model = FindModel();
        var path = FileSystemPath.ResolveOne(SessionState.Path, Path);
        if (ShouldProcess(model.Name, $"Import {path}"))
            GossipFile.ImportAsync(model.Node, path, StopToken).GetAwaiter().GetResult();
    }
}
