using System.Collections;
using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;
using System.Text;

namespace Lockstep.Jobs;

/// <summary>
/// Calls a job's token provider in its own runspace, because the pipeline that it came from is gone. As in <c>Start-ThreadJob</c>, it gets
/// the variables it needs through <c>$using:</c>, with their values from when the job started. One thread at a time, except
/// <see cref="Stop"/>.
/// </summary>
internal sealed class TokenRunspace : IDisposable
{
    // PowerShell's own name for the $using: values that accompany a script.
    private const string UsingValues = "--%";

    private readonly string _script;
    private readonly Hashtable _values;
    private readonly Lock _gate = new();
    private Runspace? _runspace;
    private PowerShell? _running;
    private bool _isStopped;

    /// <param name="script">The script block.</param>
    /// <param name="session">Where to find the values of <c>$using:</c>; pipeline thread.</param>
    public TokenRunspace(ScriptBlock script, SessionState session)
    {
        _script = script.ToString();
        _values = ValuesOf(script, session);
    }

    /// <summary>Calls it, and returns what it returns.</summary>
    /// <param name="refused">Its <c>$_</c>.</param>
    /// <exception cref="RuntimeException">It threw, or was stopped.</exception>
    public Collection<PSObject> Invoke(RefusedResponse? refused)
    {
        using var powershell = PowerShell.Create();
        lock (_gate)
        {
            if (_isStopped)
                throw new PipelineStoppedException();

            _running = powershell;
        }

        try
        {
            powershell.Runspace = _runspace ??= Open();
            _runspace.SessionStateProxy.SetVariable("_", refused);
            powershell.AddScript(_script).AddParameter(UsingValues, _values);
            return powershell.Invoke();
        }
        finally
        {
            lock (_gate)
                _running = null;
        }
    }

    /// <summary>Ends the running call, and prevents later ones. Any thread.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            _running?.BeginStop(null, null);
        }
    }

    public void Dispose() => _runspace?.Dispose();

    private static Runspace Open()
    {
        var runspace = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault2());
        runspace.Open();
        return runspace;
    }

    private static Hashtable ValuesOf(ScriptBlock script, SessionState session)
    {
        Hashtable values = [];
        foreach (
            var used in script
                .Ast.FindAll(static node => node is UsingExpressionAst, searchNestedScriptBlocks: true)
                .Cast<UsingExpressionAst>()
        )
        {
            if (used.SubExpression is VariableExpressionAst { VariablePath.UserPath: var name })
                values[KeyOf(used)] = session.PSVariable.GetValue(name);
        }

        return values;
    }

    /// <summary>The key under which PowerShell looks up a value.</summary>
    private static string KeyOf(UsingExpressionAst used) =>
        Convert.ToBase64String(Encoding.Unicode.GetBytes(used.ToString().ToLowerInvariant()));
}
