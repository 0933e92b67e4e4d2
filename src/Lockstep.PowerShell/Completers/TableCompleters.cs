using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Tables;

namespace Lockstep.Completers;

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
    ) =>
        Completion.Of(
            wordToComplete,
            TableLookup.All(Completion.Paths).Select(table => table.Name),
            Completion.TakesPatterns(commandName, parameterName)
        );
}

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
    ) => FileCompletion.Of(wordToComplete, static file => Table.IsTable(file), arePatterns: parameterName is "Path");
}

/// <summary>Completes the names of a table's fields.</summary>
public sealed class FieldCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) => Completion.Of(wordToComplete, FieldsOf(commandName, fakeBoundParameters), Completion.TakesPatterns(commandName, parameterName));

    /// <summary>The fields of the table that a command line means; none where it means none, or several.</summary>
    internal static IReadOnlyList<string> FieldsOf(string command, IDictionary bound)
    {
        try
        {
            return [.. FilesOf(command, bound).SelectMany(path => new Table(path).GetInfo().Fields)];
        }
        catch (LockstepException)
        {
            return [];
        }
    }

    private static IReadOnlyList<string> FilesOf(string command, IDictionary bound)
    {
        var paths = Completion.Paths;
        string? Text(string name) => (bound[name] is PSObject wrapped ? wrapped.BaseObject : bound[name])?.ToString();

        // Import's paths are those of the imported files; other parameters name its table.
        if (command.Equals("Import-LockstepTable", StringComparison.OrdinalIgnoreCase))
        {
            return Text("Destination") is { } destination ? [FileSystemPath.ResolveLiteral(paths, destination)]
                : Text("Table") is { } name ? TableLookup.ByName(paths, name)
                : [TableLookup.Only(paths)];
        }

        return Text("LiteralPath") is { } literal ? [FileSystemPath.ResolveLiteral(paths, literal)]
            : Text("Path") is { } path ? FileSystemPath.Resolve(paths, path)
            : Text("Table") is { } table ? TableLookup.ByName(paths, table)
            : [TableLookup.Only(paths)];
    }
}
