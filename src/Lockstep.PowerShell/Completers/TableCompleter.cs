using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Tables;

namespace Lockstep;

/// <summary>Completes the names of tables: those of the session, and those of the table files in the current location.</summary>
public sealed class TableCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) => Completion.Of(wordToComplete, TableLookup.All(Completion.Paths).Select(table => table.Name));
}
