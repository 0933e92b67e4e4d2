using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Errors;

namespace Lockstep.Parameters;

/// <summary>Resolves -Path and -LiteralPath relative to the file system's current location.</summary>
internal static class FileSystemPath
{
    /// <summary>
    /// The full paths named by -Path. A file with exactly that name takes precedence, even if the name contains brackets (it may come from
    /// an object in the pipeline); otherwise a pattern means the files that match it, and anything else a single path, whether or not it
    /// exists.
    /// </summary>
    /// <exception cref="PathNotFoundException">No file matches the pattern, or there is no such drive.</exception>
    /// <exception cref="PathProviderException">The path is not in the file system.</exception>
    public static IReadOnlyList<string> Resolve(PathIntrinsics paths, string path)
    {
        var literal = ResolveLiteral(paths, path);
        if (File.Exists(literal))
            return [literal];
        // The path may arrive escaped as PowerShell would escape it: web`[1`].db.
        if (!WildcardPattern.ContainsWildcardCharacters(path))
            return [path.Contains('`', StringComparison.Ordinal) ? ResolveLiteral(paths, WildcardPattern.Unescape(path)) : literal];

        var found = Translated(
            path,
            paths,
            () =>
            {
                var matches = paths.GetResolvedProviderPathFromPSPath(path, out var provider);
                return (matches, provider);
            }
        );
        return found.Count > 0 ? found : throw new PathNotFoundException(path);
    }

    /// <summary>Like <see cref="Resolve"/>, for exactly one file.</summary>
    /// <exception cref="InvalidOptionException">Several files match the pattern.</exception>
    public static string ResolveOne(PathIntrinsics paths, string path) =>
        Resolve(paths, path) is [var only] ? only : throw new InvalidOptionException($"Several files match '{path}'.", "Name one of them.");

    /// <summary>The full path named by -LiteralPath, whether or not it exists.</summary>
    /// <exception cref="PathProviderException">The path is not in the file system.</exception>
    public static string ResolveLiteral(PathIntrinsics paths, string path)
    {
        return Translated(
            path,
            paths,
            () =>
            {
                var full = paths.GetUnresolvedProviderPathFromPSPath(path, out var provider, out _);
                return (full, provider);
            }
        );
    }

    /// <summary>Checks that a table's path is not a folder.</summary>
    /// <exception cref="PathIsFolderException">The path is a folder.</exception>
    public static void RequireFile(string fullPath)
    {
        if (Directory.Exists(fullPath))
            throw new PathIsFolderException(fullPath);
    }

    /// <summary>A name in the file system's current location, even if PowerShell's current location is elsewhere.</summary>
    public static string InCurrentLocation(PathIntrinsics paths, string name) =>
        Path.Combine(paths.CurrentFileSystemLocation.ProviderPath, name);

    /// <summary>An error with one of several paths must not stop the others, so it is one of our exceptions.</summary>
    private static T Translated<T>(string path, PathIntrinsics paths, Func<(T Found, ProviderInfo Provider)> resolve)
    {
        try
        {
            var (found, provider) = resolve();
            return provider.Name == "FileSystem" ? found : throw new PathProviderException(path, provider.Name);
        }
        catch (System.Management.Automation.DriveNotFoundException e)
        {
            throw new PathNotFoundException(
                path,
                $"There is no drive '{e.ItemName}' for '{path}'.",
                "Get-PSDrive -PSProvider FileSystem lists the drives."
            );
        }
        catch (PSInvalidOperationException)
        {
            // A provider without a home, such as that of Env:, does not support ~.
            throw new PathProviderException(path, paths.CurrentLocation.Provider.Name);
        }
    }
}
