using System.Management.Automation;
using Lockstep.Parameters;

namespace Lockstep.Completers;

/// <summary>Completes paths of certain files, in the form in which the user started them: relative, absolute, from home.</summary>
internal static class FileCompletion
{
    private static readonly EnumerationOptions Visible = new()
    {
        IgnoreInaccessible = true,
        AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
    };

    /// <param name="word">What has been typed.</param>
    /// <param name="isWanted">Whether to offer a file, given by its full path.</param>
    /// <param name="arePatterns">Whether the parameter accepts patterns.</param>
    public static IEnumerable<CompletionResult> Of(string? word, Func<string, bool> isWanted, bool arePatterns = false)
    {
        var typed = Completion.Unquoted(word);
        if (arePatterns)
            typed = WildcardPattern.Unescape(typed);
        var nameStart = typed.LastIndexOfAny(['/', '\\']) + 1;
        var (folder, begun) = (typed[..nameStart], typed[nameStart..]);
        // As in PowerShell, a file here is written ./name, with the system's separator.
        var shownFolder = (folder.Length > 0 ? folder : "./").Replace('/', Path.DirectorySeparatorChar);
        DirectoryInfo there;
        try
        {
            there = new DirectoryInfo(FileSystemPath.ResolveLiteral(Completion.Paths, folder.Length > 0 ? folder : "."));
            if (!there.Exists)
                return [];
        }
        catch (Exception error) when (error is RuntimeException or Engine.LockstepException)
        {
            // The drive does not exist, or is not a file system drive: there is nothing to complete.
            return [];
        }

        var pattern = new EnumerationOptions
        {
            IgnoreInaccessible = true,
            AttributesToSkip = Visible.AttributesToSkip,
            MatchCasing = MatchCasing.CaseInsensitive,
        };
        return
        [
            .. there
                .EnumerateDirectories("*", pattern)
                .Where(item => item.Name.StartsWith(begun, StringComparison.OrdinalIgnoreCase))
                .OrderBy(item => item.Name, StringComparer.OrdinalIgnoreCase)
                .Select(item => Result(shownFolder + item.Name, item.Name, CompletionResultType.ProviderContainer)),
            .. there
                .EnumerateFiles("*", pattern)
                .Where(item => item.Name.StartsWith(begun, StringComparison.OrdinalIgnoreCase) && isWanted(item.FullName))
                .OrderBy(item => item.Name, StringComparer.OrdinalIgnoreCase)
                .Select(item => Result(shownFolder + item.Name, item.Name, CompletionResultType.ProviderItem)),
        ];

        CompletionResult Result(string path, string name, CompletionResultType type) =>
            new(Completion.Quote(arePatterns ? WildcardPattern.Escape(path) : path), name, type, path);
    }
}
