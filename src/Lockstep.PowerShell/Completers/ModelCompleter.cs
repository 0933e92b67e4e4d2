using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Gossip;

namespace Lockstep.Completers;

/// <summary>Completes the names of the session's models.</summary>
public sealed class ModelCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) =>
        Completion.Of(
            wordToComplete,
            RunspaceModels.Current.Models.Select(model => model.Name),
            Completion.TakesPatterns(commandName, parameterName)
        );
}
