using System.Management.Automation;
using Lockstep.Completers;
using Lockstep.Pipeline;
using Lockstep.Variables;

namespace Lockstep.Bases;

/// <summary>The base of the cmdlets for tick variables.</summary>
public abstract class VariableCmdlet : LockstepCmdlet
{
    private StoreConnections? _stores;

    private protected VariableCmdlet() { }

    /// <summary>
    /// Where the variables are kept: <c>memory</c> for this session, the path of an SQLite file, a connection string or URI of PostgreSQL,
    /// or a Redis URI (<c>redis://</c>, <c>rediss://</c>).
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(VariableStoreCompleter))]
    public VariableStore Store { get; set; } = VariableStore.Memory;

    /// <summary>The variable being worked on.</summary>
    private protected string? Current { get; set; }

    private protected override object? ErrorTarget => Current;

    private protected StoreConnections Stores => _stores ??= new StoreConnections(this, SessionState.Path, StopToken);

    /// <summary>Runs an action for each variable that the names or patterns match. An error with one does not stop the others.</summary>
    private protected void ForEach(string[] names, Action<StoreConnection, string> use)
    {
        var store = Stores[Store];
        foreach (var name in names)
        {
            Current = name;
            Attempt(() =>
            {
                foreach (var variable in store.Find(name))
                {
                    Current = variable;
                    Attempt(() => use(store, variable));
                }
            });
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _stores?.Dispose();
        base.Dispose(disposing);
    }
}
