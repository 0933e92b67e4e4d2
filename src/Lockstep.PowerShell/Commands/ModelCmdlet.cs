using System.Management.Automation;
using Lockstep.Models;

namespace Lockstep.Commands;

/// <summary>The base of the cmdlets that work on one model.</summary>
public abstract class ModelCmdlet : LockstepCmdlet
{
    private protected ModelCmdlet() { }

    /// <summary>The model, or its name; the only one of the session if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(ModelCompleter))]
    public ModelReference? Model { get; set; }

    private protected override object? ErrorTarget => Model?.ToString();

    /// <exception cref="Errors.ModelNotFoundException">There is no such model, or several and none was named.</exception>
    private protected SessionModel FindModel() => Model?.Find() ?? RunspaceModels.Current.Only.Session;
}
