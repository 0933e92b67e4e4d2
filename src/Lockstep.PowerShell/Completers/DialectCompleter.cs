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
        parameterName == "Dialect"
            ? Completion.Of(wordToComplete, [.. Names(), "ODataDelta:members@delta"]).Concat(Files(wordToComplete))
            : Completion.Of(wordToComplete, Names());

    /// <summary>Description files, once a path has been started.</summary>
    private static IEnumerable<CompletionResult> Files(string word) =>
        Completion.Unquoted(word).AsSpan().ContainsAny("./\\~")
            ? FileCompletion.Of(word, static file => file.EndsWith(".json", StringComparison.OrdinalIgnoreCase), arePatterns: true)
            : [];

    private static IEnumerable<string> Names() => ["Auto", "Record", "Transaction", .. BuiltInDialects.All.Select(dialect => dialect.Name)];
}
