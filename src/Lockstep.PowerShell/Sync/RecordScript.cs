using System.Collections.ObjectModel;
using System.Management.Automation;

namespace Lockstep.Sync;

/// <summary>A script block called for one record after another, each in <c>$_</c>; on the pipeline thread only.</summary>
internal sealed class RecordScript
{
    private readonly ScriptBlock _script;
    private readonly PSVariable _current = new("_");
    private readonly List<PSVariable> _variables = [];

    public RecordScript(ScriptBlock script) => _script = script;

    /// <summary>Calls the script block and returns what it returns.</summary>
    /// <param name="record">The record.</param>
    /// <param name="failed">Creates the error for an exception of the script block.</param>
    public Collection<PSObject> Invoke(PSObject record, Func<RuntimeException, Exception> failed)
    {
        // PowerShell removes the variable $_ from the list it is given.
        _variables.Clear();
        _variables.Add(_current);
        _current.Value = record;
        try
        {
            return _script.InvokeWithContext(functionsToDefine: null, _variables);
        }
        catch (RuntimeException thrown) when (thrown is not PipelineStoppedException)
        {
            throw failed(thrown);
        }
    }
}
