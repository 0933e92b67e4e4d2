using System.Management.Automation;
using Lockstep.Errors;

namespace Lockstep.Commands;

/// <summary>Resolves what a user gives as -Path or -LiteralPath, relative to the file system's current location.</summary>
internal static class FileSystemPath
{
    /// <summary>
    /// The full paths that -Path names. A file of exactly that name is meant, also where the name holds brackets (it may come from
    /// an object of the pipeline); else a pattern means the files that match it, and anything else the one path, whether or not it exists.
    /// </summary>
    /// <exception cref="PathNotFoundException">No file matches the pattern.</exception>
    /// <exception cref="PathProviderException">The path is not one of the file system.</exception>
    public static IReadOnlyList<string> Resolve(PathIntrinsics paths, string path)
    {
        if (!WildcardPattern.ContainsWildcardCharacters(path))
            return [ResolveLiteral(paths, path)];

        if (ResolveLiteral(paths, path) is var literal && File.Exists(literal))
            return [literal];

        var found = paths.GetResolvedProviderPathFromPSPath(path, out var provider);
        CheckProvider(path, provider);
        return found.Count > 0 ? found : throw new PathNotFoundException(path);
    }

    /// <summary>Like <see cref="Resolve"/>, where one file is meant.</summary>
    /// <exception cref="InvalidOptionException">Several files match the pattern.</exception>
    public static string ResolveOne(PathIntrinsics paths, string path) => Resolve(paths, path) is [var only]
        ? only
        : throw new InvalidOptionException($"Several files match '{path}'.", "Name one of them.");

    /// <summary>The full path that -LiteralPath names, whether or not it exists.</summary>
    /// <exception cref="PathProviderException">The path is not one of the file system.</exception>
    public static string ResolveLiteral(PathIntrinsics paths, string path)
    {
        var full = paths.GetUnresolvedProviderPathFromPSPath(path, out var provider, out _);
        CheckProvider(path, provider);
        return full;
    }

    /// <summary>A name in the file system's current location, also while the current location is elsewhere.</summary>
    public static string InCurrentLocation(PathIntrinsics paths, string name) => Path.Combine(paths.CurrentFileSystemLocation.ProviderPath, name);

    private static void CheckProvider(string path, ProviderInfo provider)
    {
        if (provider.Name != "FileSystem")
            throw new PathProviderException(path, provider.Name);
    }
}
