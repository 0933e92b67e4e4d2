namespace Lockstep.Testing;

/// <summary>A file of the repository that the tests run in.</summary>
internal static class RepositoryFile
{
    /// <summary>Its full path.</summary>
    /// <param name="path">Its path from the top.</param>
    public static string PathOf(string path)
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Lockstep.psd1")) || !File.Exists(Path.Combine(folder, path)))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new FileNotFoundException(path);
        }

        return Path.Combine(folder, path);
    }
}
