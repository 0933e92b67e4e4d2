using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Parameters;

namespace Lockstep.Tables;

/// <summary>Where to keep a table that may not exist yet: in a file, in the session, or in a database.</summary>
internal sealed class TableDestination
{
    private readonly Func<TableStore> _store;

    private TableDestination(string? name, string description, Func<TableStore> store)
    {
        Name = name;
        Description = description;
        _store = store;
    }

    /// <summary>The table's name; null for the one in the file.</summary>
    public string? Name { get; }

    /// <summary>A description of the place, for <c>-WhatIf</c>.</summary>
    public string Description { get; }

    /// <summary>Determines the destination from the parameters.</summary>
    /// <param name="paths">The session's paths.</param>
    /// <param name="defaultName">The name if neither the user nor an existing file gives one.</param>
    /// <param name="table">-Table.</param>
    /// <param name="disk">-Disk.</param>
    /// <param name="path">The path with wildcards.</param>
    /// <param name="literalPath">The literal path.</param>
    /// <param name="connectionString">-ConnectionString, for a database.</param>
    /// <param name="isPrivate">-Private; session tables always are.</param>
    /// <exception cref="InvalidOptionException">The parameters contradict each other, or the name cannot be a table's.</exception>
    /// <exception cref="PathIsFolderException">The path is a folder.</exception>
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

    /// <summary>The destination for an existing table.</summary>
    public static TableDestination Of(FoundTable found, string name, bool isPrivate) =>
        found.File is { } file
            ? new(name, $"the table '{found.DisplayName}'", () => new FileTableStore(file) { IsPrivate = isPrivate })
            : new(name, $"the table '{name}' in {found.Location}", () => found.Store);

    /// <summary>The store for the table. For a session table this creates its folder.</summary>
    public TableStore GetStore() => _store();

    private static TableDestination OfFile(string? name, string file, bool isPrivate) =>
        new(name, $"the table file '{file}'", () => new FileTableStore(file) { IsPrivate = isPrivate });
}
