using System.Management.Automation;
using Lockstep.Models;

namespace Lockstep.Commands;

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

    /// <summary>Does something with each model. An error of one does not end the others.</summary>
    private protected void ForEachModel(Action<SessionModel> use)
    {
        if (Model.Length == 0)
            use(RunspaceModels.Current.Only.Session);

        foreach (var model in Model)
        {
            _current = model;
            Attempt(() => use(model.Find()));
        }
    }
}
