namespace Lockstep.Engine.Tables;

/// <summary>Why there is no folder for a new file: nothing has its name, or a file does.</summary>
internal static class MissingFolder
{
    /// <summary>What is wrong, as a sentence; null if the folder exists.</summary>
    public static string? Describe(string folder) =>
        Directory.Exists(folder) ? null
        : FileInPlaceOf(folder) is { } file ? $"'{file}' is a file, not a folder."
        : $"The folder '{folder}' does not exist.";

    /// <summary>What to do about it first: only a missing folder can be created.</summary>
    public static string Advice(string folder) => FileInPlaceOf(folder) is null ? "Create the folder, or name" : "Name";

    private static string? FileInPlaceOf(string? path)
    {
        while (!string.IsNullOrEmpty(path) && !Path.Exists(path))
            path = Path.GetDirectoryName(path);
        return File.Exists(path) ? path : null;
    }
}
