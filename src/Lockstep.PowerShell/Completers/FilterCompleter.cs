using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace Lockstep.Completers;

/// <summary>Completes the last name in a filter with the fields of the table, in SQL notation.</summary>
public sealed class FilterCompleter : IArgumentCompleter
{
    /// <summary>What SQLite does not read as a name unless it is quoted.</summary>
    private static readonly HashSet<string> Reserved = new(
        (
            "add all alter and as autoincrement between case check collate commit constraint create default deferrable "
            + "delete distinct drop else escape except exists foreign from group having if in index insert intersect into is "
            + "isnull join limit not notnull null on or order primary references returning select set table then to "
            + "transaction union unique update using values when where"
        ).Split(' '),
        StringComparer.OrdinalIgnoreCase
    );

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    )
    {
        // Otherwise the completion would contain the variable's value, and the typed text would be lost.
        bool IsExpanded(Ast ast) => ast is ExpandableStringExpressionAst { NestedExpressions.Count: > 0 };
        if (commandAst.Find(IsExpanded, searchNestedScriptBlocks: false) is not null)
            return [];

        var typed = Completion.Unquoted(wordToComplete);
        var start = typed.Length;
        while (start > 0 && (char.IsLetterOrDigit(typed[start - 1]) || typed[start - 1] == '_'))
            start--;
        var before = typed[..start];
        return FieldCompleter
            .FieldsOf(commandName, fakeBoundParameters)
            .Distinct(StringComparer.OrdinalIgnoreCase)
            .Where(field => field.Length > 0 && field.StartsWith(typed[start..], StringComparison.OrdinalIgnoreCase))
            .Select(field => new CompletionResult(
                before.Length == 0 && Sql(field) == field ? field : Completion.Quoted(before + Sql(field)),
                field,
                CompletionResultType.ParameterValue,
                field
            ));
    }

    private static string Sql(string field) =>
        !char.IsAsciiDigit(field[0]) && field.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_') && !Reserved.Contains(field)
            ? field
            : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
