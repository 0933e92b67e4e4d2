using System.Management.Automation;
using Lockstep.Commands;
using Lockstep.Engine.Tables;
using Lockstep.Errors;

namespace Lockstep.Tables;

/// <summary>Where a table that may not exist yet is kept: in a file, or in the session.</summary>
internal sealed class TableDestination
{
    private readonly string? _file;

    private TableDestination(string? name, string? file)
    {
        Name = name;
        _file = file;
    }

    /// <summary>The table's name; null for that which the file says.</summary>
    public string? Name { get; }

    /// <summary>The same in words, for <c>-WhatIf</c>.</summary>
    public string Description => _file is null ? $"the session's table '{Name}'" : $"the table file '{_file}'";

    /// <summary>Tells it from what the user says.</summary>
    /// <param name="paths">The session's paths.</param>
    /// <param name="defaultName">The name where the user gives none, and no existing file does.</param>
    /// <param name="table">-Table.</param>
    /// <param name="disk">-Disk.</param>
    /// <param name="path">The path with wildcards.</param>
    /// <param name="literalPath">The path without.</param>
    /// <exception cref="InvalidOptionException">What the user says does not go together, or the name cannot be a table's.</exception>
    /// <exception cref="PathIsFolderException">The path is that of a folder.</exception>
    public static TableDestination Resolve(PathIntrinsics paths, string defaultName, string? table, bool disk, string? path, string? literalPath)
    {
        var name = string.IsNullOrEmpty(table) ? null : table;
        if (name is not null && !TableName.IsValid(name))
        {
            throw new InvalidOptionException(
                $"'{name}' cannot name a table.", "Use up to 120 characters, none of / \\ : * ? \" < > |, and no prefix lockstep_ or sqlite_. A file is named with -Path.");
        }

        var hasPath = !string.IsNullOrEmpty(path);
        if (hasPath && !string.IsNullOrEmpty(literalPath))
            throw new InvalidOptionException("There are two paths for one table.", "Use either -Path or -LiteralPath.");

        var file = hasPath ? FileSystemPath.ResolveOne(paths, path!) : !string.IsNullOrEmpty(literalPath) ? FileSystemPath.ResolveLiteral(paths, literalPath) : null;
        if (file is not null)
            FileSystemPath.RequireFile(file);

        return file is not null ? new TableDestination(name, file)
            : disk ? new TableDestination(name ?? defaultName, TableLookup.FileInCurrentLocation(paths, name ?? defaultName))
            : new TableDestination(name ?? defaultName, null);
    }

    /// <summary>The full path. For a table of the session this makes its folder.</summary>
    public string GetPath() => _file ?? SessionTables.PathOf(Name!);
}
