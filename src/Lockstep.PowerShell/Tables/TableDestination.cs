using System.Management.Automation;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Parameters;
using Lockstep.Postgres.Tables;

namespace Lockstep.Tables;

/// <summary>Where a table that may not exist yet is kept: in a file, in the session, or in a database.</summary>
internal sealed class TableDestination
{
    private readonly string? _file;

    private readonly PostgresTableStore? _store;

    private TableDestination(string? name, string? file, PostgresTableStore? store = null)
    {
        Name = name;
        _file = file;
        _store = store;
    }

    /// <summary>The database; null for a file.</summary>
    public TableStore? Store => _store;

    /// <summary>The table's name; null for that which the file says.</summary>
    public string? Name { get; }

    /// <summary>The same in words, for <c>-WhatIf</c>.</summary>
    public string Description =>
        _store is not null ? $"the table '{Name}' in {_store.Description}"
        : _file is null ? $"the session's table '{Name}'"
        : $"the table file '{_file}'";

    /// <summary>Tells it from what the user says.</summary>
    /// <param name="paths">The session's paths.</param>
    /// <param name="defaultName">The name where the user gives none, and no existing file does.</param>
    /// <param name="table">-Table.</param>
    /// <param name="disk">-Disk.</param>
    /// <param name="path">The path with wildcards.</param>
    /// <param name="literalPath">The path without.</param>
    /// <param name="connectionString">-ConnectionString, for a database.</param>
    /// <exception cref="InvalidOptionException">What the user says does not go together, or the name cannot be a table's.</exception>
    /// <exception cref="PathIsFolderException">The path is that of a folder.</exception>
    public static TableDestination Resolve(
        PathIntrinsics paths,
        string defaultName,
        string? table,
        bool disk,
        string? path,
        string? literalPath,
        string? connectionString = null
    )
    {
        var store = SharedTables.Store(connectionString, string.IsNullOrEmpty(path) ? literalPath : path, disk);
        var name = string.IsNullOrEmpty(table) ? null : table;
        if (name is not null && !TableName.IsValid(name))
        {
            throw new InvalidOptionException(
                $"'{name}' cannot name a table.",
                "Use up to 120 characters, none of / \\ : * ? \" < > |, and no prefix lockstep_ or sqlite_. A file is named with -Path."
            );
        }

        if (store is not null)
            return new TableDestination(name ?? defaultName, null, store);

        var hasPath = !string.IsNullOrEmpty(path);
        if (hasPath && !string.IsNullOrEmpty(literalPath))
            throw new InvalidOptionException("There are two paths for one table.", "Use either -Path or -LiteralPath.");

        var file =
            hasPath ? FileSystemPath.ResolveOne(paths, path!)
            : !string.IsNullOrEmpty(literalPath) ? FileSystemPath.ResolveLiteral(paths, literalPath)
            : null;
        if (file is not null)
            FileSystemPath.RequireFile(file);

        return file is not null ? new TableDestination(name, file)
            : disk ? new TableDestination(name ?? defaultName, TableLookup.FileInCurrentLocation(paths, name ?? defaultName))
            : new TableDestination(name ?? defaultName, null);
    }

    /// <summary>The full path, or the database in words. For a table of the session this makes its folder.</summary>
    public string GetPath() => _store?.Description ?? _file ?? SessionTables.PathOf(Name!);

    /// <summary>Makes sure that nobody writes to a table in a database; of a file, opening it tells.</summary>
    /// <exception cref="TableBusyException">A sync leads it.</exception>
    public void RequireFree() => _store?.RequireFree(Name!);
}
