namespace Lockstep.Engine.Tables;

/// <summary>Where a file really is: two names of the same file have one real path, and so one lock.</summary>
internal static class RealPath
{
    private const int MostLinks = 40;

    /// <summary>
    /// The full path with every symbolic link in it resolved. The file need not exist. If links cannot be resolved, the full path
    /// unchanged: opening it then says why.
    /// </summary>
    public static string Of(string path)
    {
        var full = Path.GetFullPath(path);
        try
        {
            return Follow(new FileInfo(full), MostLinks);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return full;
        }
    }

    private static string Follow(FileSystemInfo entry, int linksLeft)
    {
        // Of what is not there, only the first of these two can be asked.
        if (entry.LinkTarget is not null && entry.ResolveLinkTarget(returnFinalTarget: true) is { } target)
        {
            if (linksLeft == 0)
                throw new IOException($"'{entry.FullName}' has too many symbolic links.");
            return Follow(target, linksLeft - 1);
        }

        var path = Path.TrimEndingDirectorySeparator(entry.FullName);
        return Path.GetDirectoryName(path) is { } folder
            ? Path.Combine(Follow(new DirectoryInfo(folder), linksLeft), Path.GetFileName(path))
            : entry.FullName;
    }
}
