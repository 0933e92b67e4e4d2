using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Engine.Dialects;

namespace Lockstep.Completers;

/// <summary>Completes the names of dialects.</summary>
public sealed class DialectCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) =>
        Names()
            .Where(name => name.StartsWith(wordToComplete, StringComparison.OrdinalIgnoreCase))
            .Select(name => new CompletionResult(name));

    private static IEnumerable<string> Names() => ["Auto", "Record", "Transaction", .. BuiltInDialects.All.Select(dialect => dialect.Name)];
}
