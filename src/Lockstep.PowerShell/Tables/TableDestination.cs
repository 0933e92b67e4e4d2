using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Parameters;

namespace Lockstep.Tables;

/// <summary>Where a table that may not exist yet is kept: in a file, in the session, or in a database.</summary>
internal sealed class TableDestination
{
    private readonly Func<TableStore> _store;

    private TableDestination(string? name, string description, Func<TableStore> store)
    {
        Name = name;
        Description = description;
        _store = store;
    }

    /// <summary>The table's name; null for that which the file says.</summary>
    public string? Name { get; }

    /// <summary>The place in words, for <c>-WhatIf</c>.</summary>
    public string Description { get; }

    /// <summary>Tells it from what the user says.</summary>
    /// <param name="paths">The session's paths.</param>
    /// <param name="defaultName">The name where the user gives none, and no existing file does.</param>
    /// <param name="table">-Table.</param>
    /// <param name="disk">-Disk.</param>
    /// <param name="path">The path with wildcards.</param>
    /// <param name="literalPath">The path without.</param>
    /// <param name="connectionString">-ConnectionString, for a database.</param>
    /// <param name="isPrivate">-Private; tables of the session are in any case.</param>
    /// <exception cref="InvalidOptionException">What the user says does not go together, or the name cannot be a table's.</exception>
    /// <exception cref="PathIsFolderException">The path is that of a folder.</exception>
    public static TableDestination Resolve(
        PathIntrinsics paths,
        string defaultName,
        string? table,
        bool disk,
        string? path,
        string? literalPath,
        string? connectionString = null,
        bool isPrivate = false
    )
    {
        if (connectionString is not null && isPrivate)
        {
            throw new InvalidOptionException("-Private is for table files.", "A database's own rights decide who may read a table in it.");
        }

        if (connectionString is not null && (disk || !string.IsNullOrEmpty(path) || !string.IsNullOrEmpty(literalPath)))
        {
            throw new InvalidOptionException(
                "The table can be in a file or in a database.",
                "Use -ConnectionString, or -Disk, -Path or -LiteralPath."
            );
        }

        var given = string.IsNullOrEmpty(table) ? null : table;
        if (given is not null && !TableNaming.IsValid(given))
        {
            throw new InvalidOptionException(
                $"'{given}' is not a valid table name.",
                "Use up to 120 characters, none of / \\ : * ? \" < > |, and no prefix lockstep_ or sqlite_. A file is named with -Path."
            );
        }

        var name = given ?? defaultName;
        if (connectionString is not null)
        {
            var database = new SharedTables(connectionString).Store;
            return new TableDestination(name, $"the table '{name}' in {database.Description}", () => database);
        }

        var hasPath = !string.IsNullOrEmpty(path);
        if (hasPath && !string.IsNullOrEmpty(literalPath))
            throw new InvalidOptionException("There are two paths for one table.", "Use either -Path or -LiteralPath.");

        var file =
            hasPath ? FileSystemPath.ResolveOne(paths, path!)
            : !string.IsNullOrEmpty(literalPath) ? FileSystemPath.ResolveLiteral(paths, literalPath)
            : null;
        if (file is not null)
        {
            FileSystemPath.RequireFile(file);
            return OfFile(given, file, isPrivate);
        }

        return disk
            ? OfFile(name, TableLookup.FileInCurrentLocation(paths, name), isPrivate)
            : new TableDestination(name, $"the session's table '{name}'", () => SessionTables.StoreOf(name));
    }

    /// <summary>What is to keep the table. For a table of the session this makes its folder.</summary>
    public TableStore GetStore() => _store();

    private static TableDestination OfFile(string? name, string file, bool isPrivate) =>
        new(name, $"the table file '{file}'", () => new FileTableStore(file) { IsPrivate = isPrivate });
}
