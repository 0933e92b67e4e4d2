using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Commands;
using Lockstep.Engine;
using Lockstep.Ticks;
using Lockstep.Variables;

namespace Lockstep;

/// <summary>Completes the names of variables in memory and in files; it connects to no server.</summary>
public sealed class VariableCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    )
    {
        var text = (fakeBoundParameters["Store"] is PSObject wrapped ? wrapped.BaseObject : fakeBoundParameters["Store"]) switch
        {
            VariableStore given => given.Text,
            string { Length: > 0 } given => given,
            _ => VariableStore.Memory.Text,
        };
        var named = new VariableStore(text);
        try
        {
            ITickStore? store =
                named.IsMemory ? RunspaceMemory.Open(null)
                : named.IsFile ? new SqliteTickStore(FileSystemPath.ResolveLiteral(Completion.Paths, text))
                : null;
            return store is null ? [] : Completion.Of(wordToComplete, store.ListAsync(CancellationToken.None).GetAwaiter().GetResult());
        }
        catch (LockstepException)
        {
            // No such store: there is nothing to complete.
            return [];
        }
    }
}
