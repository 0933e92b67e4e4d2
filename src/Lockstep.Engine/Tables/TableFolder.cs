namespace Lockstep.Engine.Tables;

/// <summary>The folder of a table file.</summary>
internal static class TableFolder
{
    /// <summary>
    /// Checks that the path is not a folder itself, and that its folder exists and is on a file system that provides the shared
    /// memory for SQLite's write-ahead log.
    /// </summary>
    public static void RequireWritable(string path)
    {
        if (Directory.Exists(path))
            throw InPlaceOf(path);
        var folder = Path.GetDirectoryName(path);
        if (string.IsNullOrEmpty(folder) || MissingFolder.Describe(folder) is not null)
        {
            throw new TableFileException(
                path,
                $"The table file '{path}' cannot be created: {MissingFolder.Describe(folder ?? "")}",
                $"{MissingFolder.Advice(folder ?? "")} a file in a folder that exists with {Term.Path}."
            );
        }

        DriveType type;
        try
        {
            type = path.StartsWith(@"\\", StringComparison.Ordinal) ? DriveType.Network : new DriveInfo(folder).DriveType;
        }
        catch (Exception e) when (e is ArgumentException or IOException or UnauthorizedAccessException)
        {
            return;
        }

        if (type == DriveType.Network)
        {
            throw new TableFileException(
                path,
                $"The table file '{path}' lies on a network file system, where SQLite's write-ahead log does not work.",
                $"Sync to a local file with {Term.Path}, and share the table by serving it or by {Term.BackupTable}."
            );
        }
    }

    /// <summary>The error for a folder where a table file is expected.</summary>
    public static TableFileException InPlaceOf(string path) =>
        new(path, $"'{path}' is a folder. A table is a file.", $"Name a file in it with {Term.Path}.");
}
