using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>Creates a replicated model that this session and its peers can all change.</summary>
[Cmdlet(VerbsCommon.New, "LockstepModel", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(ModelInfo))]
public sealed class NewLockstepModelCommand : LockstepCmdlet
{
    /// <summary>The model's name in this session and its listeners; by default the file's without extension, else the id.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    public string? Name { get; set; }

    /// <summary>What it holds: values by key, events, or one of the data types of npm packages.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("Type")]
    [OneOf(typeof(ModelKind))]
    public ModelKind Kind { get; set; }

    /// <summary>The SQLite file that keeps it, created if it does not exist; without one the model lives as long as the session.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public string? Path { get; set; }

    /// <summary>The id under which it writes; by default the file's, else a random one. No two live models may share an id.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    /// <summary>
    /// A private key in a PEM file. It signs what is written here, the model's id is derived from it, and the model accepts from others
    /// only what a trusted key signed.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? PrivateKeyPath { get; set; }

    /// <summary>
    /// The public key in a PEM file: with -Signature RsaSha1 the model's id is derived from its text. With EcdsaP256 it follows from the
    /// private key.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? PublicKeyPath { get; set; }

    /// <summary>PEM files with the public keys of the others whose changes to accept.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    public string[] TrustedKeyPath { get; set; } = [];

    /// <summary>How changes are signed if there are keys; all nodes of a model must use the same.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public ModelSignature Signature { get; set; }

    /// <summary>
    /// The name that all nodes use for the model. Signatures cover it: a change signed for one model is not accepted in another. With
    /// -ModernOnly the default is -Name.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? SharedName { get; set; }

    /// <summary>
    /// Accepts only changes whose signature covers the model's name and a count that reveals withheld changes. That excludes changes from
    /// npm nodes, whoever forwards them.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public SwitchParameter ModernOnly { get; set; }

    /// <summary>
    /// How many of the newest events to keep; by default all. Peers that were away for longer are told that they missed some.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(1, int.MaxValue)]
    public int? MaximumEventCount { get; set; }

    /// <summary>For how long to keep events, by default forever, or the values of an ExpiryModel, by default a day.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Seconds]
    public TimeSpan? MaximumEventAge { get; set; }

    /// <summary>
    /// How far ahead of this machine's clock a change may be stamped, by default an hour; a change further ahead is held until it is due.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Seconds]
    public TimeSpan MaximumFuture { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How many sources the model accepts changes of, by default 100000. Each costs memory permanently, and an npm node without an id is a
    /// new one each time that it starts. Changes of further ones are refused; Wait-LockstepModel warns of it.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(1, int.MaxValue)]
    public int MaximumSourceCount { get; set; } = new GossipNodeOptions().MaxSources;

    private protected override object? ErrorTarget => Name ?? Path;

    private protected override void Process()
    {
        var models = RunspaceModels.Current;
        var path = string.IsNullOrEmpty(Path) ? null : FileSystemPath.ResolveLiteral(SessionState.Path, Path);
        var name = Name ?? (path is null ? null : System.IO.Path.GetFileNameWithoutExtension(path));
        if (name?.Trim('.').Length == 0)
        {
            throw new InvalidOptionException(
                "A model's name is part of its URI: it must not be empty or consist only of dots.",
                "Give another with -Name."
            );
        }

        if (name is not null)
            models.RequireFree(name);

        if (Kind is not (ModelKind.Events or ModelKind.ExpiryModel) && (MaximumEventCount is not null || MaximumEventAge is not null))
        {
            throw new InvalidOptionException(
                $"A model of kind {Kind} keeps only the newest values.",
                "Leave out -MaximumEventCount and -MaximumEventAge, or make a model of -Kind Events or ExpiryModel."
            );
        }

        if (MaximumEventAge < TimeSpan.Zero || MaximumFuture < TimeSpan.Zero)
            throw new InvalidOptionException("A time must not be negative.", "Give a time span such as 7.00:00:00 for a week.");

        if (!ShouldProcess(name ?? "a model without name", $"Make a model of kind {Kind}"))
            return;

        var keys = ModelKeys.Load(SessionState.Path, Signature, PrivateKeyPath, PublicKeyPath, TrustedKeyPath);
        var options = new GossipNodeOptions
        {
            Id = Id,
            Path = path,
            MaxFuture = MaximumFuture,
            MaxSources = MaximumSourceCount,
            Security = keys,
            SharedName = SharedName ?? (ModernOnly ? name : null),
            ModernOnly = ModernOnly,
        };
        var model = new ModelInfo(
            new SessionModel(name, Kind, options, new EventRetention { MaxEvents = MaximumEventCount, MaxAge = MaximumEventAge })
        );
        models.Add(model);
        WriteObject(model);
    }
}

/// <summary>Lists the models of this session.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepModel")]
[OutputType(typeof(ModelInfo))]
public sealed class GetLockstepModelCommand : LockstepCmdlet
{
    /// <summary>Only models with these names.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("Model")]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(ModelCompleter))]
    [ValidateNotNull]
    public string[] Name { get; set; } = ["*"];

    private protected override void Process()
    {
        foreach (var name in Name)
            Attempt(() => WriteObject(Find(name), enumerateCollection: true));
    }

    private static IReadOnlyList<ModelInfo> Find(string name)
    {
        var models = TableNames.Matching(name, RunspaceModels.Current.Models, static model => model.Name);
        return models.Count > 0 || WildcardPattern.ContainsWildcardCharacters(name) ? models : [RunspaceModels.Current.Find(name)];
    }
}

/// <summary>Closes models and their connections. Their files stay.</summary>
[Cmdlet(VerbsCommon.Remove, "LockstepModel", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
public sealed class RemoveLockstepModelCommand : ModelsCmdlet
{
    private protected override void Process() => ForEachModel(Remove);

    private void Remove(SessionModel model)
    {
        if (ShouldProcess(model.Name, "Remove the model from the session"))
            Await(model.DisposeAsync());
    }
}
