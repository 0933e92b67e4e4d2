using System.Management.Automation;
using Lockstep.Completers;
using Lockstep.Gossip;
using Lockstep.Pipeline;

namespace Lockstep.Bases;

/// <summary>The base of the cmdlets that work on one model.</summary>
public abstract class ModelCmdlet : LockstepCmdlet
{
    private protected ModelCmdlet() { }

    /// <summary>The model, or its name; the only one of the session if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(ModelCompleter))]
    public ModelReference? Model { get; set; }

    private protected override object? ErrorTarget => Model?.ToString();

    /// <exception cref="Errors.ModelNotFoundException">There is no such model, or none was named and there are several.</exception>
    private protected SessionModel FindModel() => RunspaceModels.Find(Model);
}

/// <summary>The base of the cmdlets that do the same to each of several models.</summary>
public abstract class ModelsCmdlet : LockstepCmdlet
{
    private ModelReference? _current;

    private protected ModelsCmdlet() { }

    /// <summary>The models, or their names; the only one of the session if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(ModelCompleter))]
    [ValidateNotNull]
    public ModelReference[] Model { get; set; } = [];

    private protected override object? ErrorTarget => _current?.ToString();

    /// <summary>Runs an action for each model. An error with one does not stop the others.</summary>
    private protected void ForEachModel(Action<SessionModel> use)
    {
        if (Model.Length == 0)
            use(RunspaceModels.Find(null));

        foreach (var model in Model)
        {
            _current = model;
            Attempt(() => use(RunspaceModels.Find(model)));
        }
    }
}
