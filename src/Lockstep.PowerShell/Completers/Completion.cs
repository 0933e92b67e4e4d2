using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;
using System.Reflection;

namespace Lockstep.Completers;

/// <summary>What completers share. Completers open no connection and change nothing.</summary>
internal static class Completion
{
    /// <summary>The paths of the session that requests completion.</summary>
    public static PathIntrinsics Paths
    {
        get
        {
            using var shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
            return shell.AddScript("$ExecutionContext.SessionState").Invoke<SessionState>()[0].Path;
        }
    }

    /// <summary>Whether a parameter accepts patterns, in which brackets in a name must be escaped.</summary>
    /// <param name="command">The cmdlet's name.</param>
    /// <param name="parameter">The parameter's name.</param>
    public static bool TakesPatterns(string command, string parameter) =>
        typeof(Completion)
            .Assembly.GetExportedTypes()
            .Any(type =>
                type.GetCustomAttribute<CmdletAttribute>() is { } cmdlet
                && $"{cmdlet.VerbName}-{cmdlet.NounName}".Equals(command, StringComparison.OrdinalIgnoreCase)
                && type.GetProperties()
                    .Any(property =>
                        property.Name.Equals(parameter, StringComparison.OrdinalIgnoreCase)
                        && property.IsDefined(typeof(SupportsWildcardsAttribute))
                    )
            );

    /// <summary>The names that start with a word, escaped and quoted where necessary.</summary>
    /// <param name="word">What has been typed.</param>
    /// <param name="names">The names.</param>
    /// <param name="arePatterns">Whether the parameter accepts patterns.</param>
    public static IEnumerable<CompletionResult> Of(string? word, IEnumerable<string> names, bool arePatterns = false)
    {
        var begun = Unquoted(word);
        bool Begins(string text) => text.StartsWith(begun, StringComparison.OrdinalIgnoreCase);
        foreach (var name in names.Distinct(StringComparer.OrdinalIgnoreCase))
        {
            var text = arePatterns ? WildcardPattern.Escape(name) : name;
            if (Begins(text) || Begins(name))
            {
                var shown = Shown(name);
                yield return new CompletionResult(IsWord(text) ? text : Quoted(text), shown, CompletionResultType.ParameterValue, shown);
            }
        }
    }

    /// <summary>What was typed, without surrounding quotes.</summary>
    public static string Unquoted(string? word)
    {
        word ??= "";
        return word.Length > 0 && word[0] is '\'' or '"' ? word.Trim(word[0]).Replace("''", "'", StringComparison.Ordinal) : word;
    }

    /// <summary>A path, quoted where necessary.</summary>
    public static string Quote(string path) =>
        path.All(letter => char.IsLetterOrDigit(letter) || "_-./\\:".Contains(letter)) ? path : Quoted(path);

    /// <summary>A text in quotes; PowerShell treats four characters as a single quote.</summary>
    public static string Quoted(string text) => $"'{CodeGeneration.EscapeSingleQuotedStringContent(text)}'";

    /// <summary>A completion result must show something, even for an empty name.</summary>
    private static string Shown(string name) => name.Length > 0 ? name : "''";

    /// <summary>Whether a text is the same without quotes: in a list, digits would be a number rather than text.</summary>
    private static bool IsWord(string name) =>
        name.Length > 0 && !char.IsDigit(name[0]) && name.All(letter => char.IsLetterOrDigit(letter) || letter == '_');
}
