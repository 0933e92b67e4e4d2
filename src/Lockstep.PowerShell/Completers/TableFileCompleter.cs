using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Engine.Tables;

namespace Lockstep;

/// <summary>Completes the paths of table files, and of the folders on the way to them.</summary>
public sealed class TableFileCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) => FileCompletion.Of(wordToComplete, static file => Table.IsTable(file));
}
