using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;

namespace Lockstep.Tables;

/// <summary>Finds the table files that a user means: those of the session by name, those of the current location by name or path.</summary>
internal static class TableLookup
{
    private const string Extension = ".db";

    /// <summary>The file for a table of that name in the current location.</summary>
    public static string FileInCurrentLocation(PathIntrinsics paths, string table) =>
        FileSystemPath.InCurrentLocation(paths, table + Extension);

    /// <summary>The table with that name, even if the name contains brackets; otherwise the tables that match it as a pattern.</summary>
    /// <exception cref="TableNotFoundException">There is none.</exception>
    public static IReadOnlyList<string> ByName(PathIntrinsics paths, string name, CancellationToken stop = default)
    {
        // A session table takes precedence over one in a file, and the file of that name over others whose table has that name.
        if (SessionTables.Find(name) is { } inSession)
            return [inSession];

        var file = FileInCurrentLocation(paths, name);
        if (Table.IsTable(file))
            return [file];

        var found = TableNames.Matching(name, [.. All(paths, stop)], static table => table.Name);
        if (found.Count > 0)
            return WildcardPattern.ContainsWildcardCharacters(name) ? [.. found.Select(table => table.Path)] : [found[0].Path];

        // A file of that name that is not a table is not skipped: opening it reports what is wrong with it.
        return File.Exists(file)
            ? [file]
            : throw new TableNotFoundException(
                name,
                $"There is no table '{name}' in this session or in {paths.CurrentFileSystemLocation}.",
                Candidates(paths, stop)
            );
    }

    /// <summary>The table to use when none is named: the only one of the session, otherwise the only file here.</summary>
    /// <exception cref="TableNotFoundException">There is none, or there are several.</exception>
    public static string Only(PathIntrinsics paths, CancellationToken stop = default)
    {
        var session = SessionTables.Names;
        if (session is [var only] && SessionTables.Find(only) is { } path)
            return path;

        var here = session.Count == 0 ? Here(paths) : [];
        return here is [var file]
            ? file
            : throw new TableNotFoundException(
                "",
                session.Count + here.Count == 0
                    ? $"There is no table in this session or in {paths.CurrentFileSystemLocation}."
                    : "There are several tables.",
                Candidates(paths, stop)
            );
    }

    /// <summary>
    /// The files of the session's tables, and those of the current location that identify themselves as tables, readable or not.
    /// </summary>
    public static IEnumerable<string> Files(PathIntrinsics paths) =>
        SessionTables.Names.Select(SessionTables.Find).OfType<string>().Concat(Here(paths));

    /// <summary>All tables of the session and of the current location that can be read.</summary>
    public static IEnumerable<(string Name, string Path)> All(PathIntrinsics paths, CancellationToken stop = default)
    {
        foreach (var name in SessionTables.Names)
        {
            if (SessionTables.Find(name) is { } path)
                yield return (name, path);
        }

        foreach (var path in Here(paths))
        {
            if (NameIn(path, stop) is { } name)
                yield return (name, path);
        }
    }

    private static IReadOnlyList<string> Here(PathIntrinsics paths) => Table.FindIn(paths.CurrentFileSystemLocation.ProviderPath);

    /// <summary>The name of the table in a file; null if the file cannot be read, which does not matter while searching.</summary>
    private static string? NameIn(string path, CancellationToken stop)
    {
        try
        {
            return new Table(path, stop).GetInfo().Name;
        }
        catch (LockstepException)
        {
            return null;
        }
    }

    private static string Candidates(PathIntrinsics paths, CancellationToken stop)
    {
        var names = All(paths, stop).Select(table => table.Name).ToArray();
        return names.Length > 0
            ? $"Name one with -Table: {string.Join(", ", names)}; or name a file with -Path."
            : "Make one with Sync-LockstepTable, change to the folder that holds its file, or name the file with -Path.";
    }
}
