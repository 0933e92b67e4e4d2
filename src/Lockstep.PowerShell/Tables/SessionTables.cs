using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Tables;

namespace Lockstep.Tables;

/// <summary>
/// The tables that live as long as the process: table files in a private temporary folder, known by name in the whole process.
/// They are gone with the process; what a process left that was killed is removed by the next one. Any thread.
/// </summary>
internal static class SessionTables
{
    private const string Prefix = "lockstep-session-";

    private static readonly ConcurrentDictionary<string, string> Paths = new(StringComparer.OrdinalIgnoreCase);
    private static readonly Lazy<string> Folder = new(CreateFolder);

    /// <summary>The names of the tables that have been synced in this process.</summary>
    public static IReadOnlyList<string> Names =>
        [.. Paths.Where(pair => File.Exists(pair.Value)).Select(pair => pair.Key).Order(StringComparer.OrdinalIgnoreCase)];

    /// <summary>Where the table of a name lives, whether it exists or not.</summary>
    /// <exception cref="ArgumentException">The name cannot be a table's.</exception>
    public static string PathOf(string name) =>
        Paths.GetOrAdd(TableNaming.Require(name), static n => Path.Combine(Folder.Value, Guid.NewGuid().ToString("N") + "-" + n + ".db"));

    /// <summary>The path of a table that exists in this process; null when there is none.</summary>
    public static string? Find(string name) => Paths.TryGetValue(name, out var path) && File.Exists(path) ? path : null;

    /// <summary>The name of the table that lives in a file; null when the file is no table of this process.</summary>
    public static string? NameOf(string path) => Names.FirstOrDefault(name => Find(name) == path);

    private static string CreateFolder()
    {
        RemoveAbandoned();
        var folder = Directory
            .CreateTempSubdirectory(string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-"))
            .FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Delete(folder);
        return folder;
    }

    private static void RemoveAbandoned()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            var parts = Path.GetFileName(folder)[Prefix.Length..].Split('-');
            if (int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var process) && !IsRunning(process))
                Delete(folder);
        }
    }

    private static bool IsRunning(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another user's, or still open: the next process tries again.
        }
    }
}
