using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace Lockstep.Completers;

/// <summary>What completers share. Completers open no connection and change nothing.</summary>
internal static class Completion
{
    /// <summary>The paths of the session that asks for completion.</summary>
    public static PathIntrinsics Paths
    {
        get
        {
            using var shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
            return shell.AddScript("$ExecutionContext.SessionState").Invoke<SessionState>()[0].Path;
        }
    }

    /// <summary>The names that begin with a word, quoted where they need it.</summary>
    public static IEnumerable<CompletionResult> Of(string word, IEnumerable<string> names)
    {
        var pattern = WildcardPattern.Get(WildcardPattern.Escape(word.Trim('\'', '"')) + "*", WildcardOptions.IgnoreCase);
        foreach (var name in names.Distinct(StringComparer.OrdinalIgnoreCase).Where(pattern.IsMatch))
        {
            yield return new CompletionResult(IsWord(name) ? name : Quoted(name), name, CompletionResultType.ParameterValue, name);
        }
    }

    /// <summary>A path, quoted where it needs it.</summary>
    public static string Quote(string path) =>
        path.All(letter => char.IsLetterOrDigit(letter) || "_-./\\:".Contains(letter)) ? path : Quoted(path);

    private static bool IsWord(string name) => name.All(letter => char.IsLetterOrDigit(letter) || letter == '_');

    private static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
