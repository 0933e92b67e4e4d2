using System.Collections.Concurrent;
using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Tables;

namespace Lockstep.Tables;

/// <summary>
/// The tables that live as long as the process: table files in a private temporary folder, known by name throughout the process. They end
/// with the process; if it is killed, the next process removes them. Any thread.
/// </summary>
internal static class SessionTables
{
    private const string Prefix = "lockstep-session-";

    private static readonly ConcurrentDictionary<string, string> Paths = new(StringComparer.OrdinalIgnoreCase);
    private static readonly Lazy<string> Folder = new(CreateFolder);

    /// <summary>The names of the tables that have been synced in this process.</summary>
    public static IReadOnlyList<string> Names =>
        [.. Paths.Where(pair => File.Exists(pair.Value)).Select(pair => pair.Key).Order(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The path of the table with that name, whether it exists or not.</summary>
    /// <exception cref="ArgumentException">The name cannot be a table's.</exception>
    public static string PathOf(string name) =>
        Paths.GetOrAdd(TableNaming.Require(name), static n => Path.Combine(Folder.Value, Guid.NewGuid().ToString("N") + "-" + n + ".db"));

    /// <summary>The store for the table with that name; nobody else may read it.</summary>
    /// <exception cref="ArgumentException">The name cannot be a table's.</exception>
    public static FileTableStore StoreOf(string name) => new(PathOf(name)) { IsPrivate = !OperatingSystem.IsWindows() };

    /// <summary>The path of a table that exists in this process; null if there is none.</summary>
    public static string? Find(string name) => Paths.TryGetValue(name, out var path) && File.Exists(path) ? path : null;

    /// <summary>The name of the table in a file; null if the file is not a table of this process.</summary>
    public static string? NameOf(string path) => Names.FirstOrDefault(name => Find(name) == path);

    private static string CreateFolder()
    {
        RemoveAbandoned(Path.GetTempPath());
        var folder = Directory
            .CreateTempSubdirectory(string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-"))
            .FullName;
        // Held as long as the process lives, because process ids may be ambiguous: a container may share the folder but not the ids.
        var held = LockFile.Open(LockOf(folder));
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            held.Dispose();
            Delete(folder);
        };
        return folder;
    }

    /// <summary>Removes the folders of dead processes: nobody holds their lock.</summary>
    private static void RemoveAbandoned(string parent)
    {
        foreach (var folder in Directory.EnumerateDirectories(parent, Prefix + "*"))
        {
            // A folder without a lock is only just being created, or belongs to an older version; that one goes when the temporary folder
            // is cleaned.
            if (!File.Exists(LockOf(folder)))
                continue;
            try
            {
                // Its creator holds the lock until the end, so a free one stays free.
                LockFile.Open(LockOf(folder)).Dispose();
                Delete(folder);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Its process is alive, or it belongs to another user.
            }
        }
    }

    private static string LockOf(string folder) => Path.Combine(folder, "session-lock");

    private static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It belongs to another user, or is still open: the next process tries again.
        }
    }
}
