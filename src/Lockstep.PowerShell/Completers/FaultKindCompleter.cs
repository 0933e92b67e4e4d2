using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.TestServer.Faults;

namespace Lockstep;

/// <summary>Completes the names of the kinds of fault.</summary>
public sealed class FaultKindCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) => Completion.Of(wordToComplete ?? "", FaultKinds.All.Select(kind => kind.Name));
}
