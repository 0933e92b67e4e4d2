using Lockstep.Engine;

namespace Lockstep.Engine.Tables;

/// <summary>A file that contains one table. It need not exist yet: the first sync creates it.</summary>
/// <param name="path">The file's full path.</param>
public sealed class FileTableStore(string path) : TableStore
{
    /// <summary>The file's full path.</summary>
    public string Path => path;

    /// <summary>
    /// Whether only this user may read the file: applies when the file is created, and to an existing one when it is opened for writing.
    /// Not on Windows. Default: as the process creates files (its umask).
    /// </summary>
    public bool IsPrivate { get; init; }

    /// <summary>
    /// Whether part of the table is in the write-ahead log beside the file, for example while a reader needs it: a copy of the file alone
    /// lacks that part.
    /// </summary>
    public bool HasLog => ClosingCheckpoint.HasLog(path);

    /// <summary>The file's full path.</summary>
    public override string Description => path;

    /// <summary>The one table, whatever its name; opens nothing yet.</summary>
    public Table Table => new(path);

    /// <summary>The file's table; none if there is no such file, or it contains something else.</summary>
    public override IReadOnlyList<Table> Find() => Table.IsTable(path) ? [Table] : [];

    /// <summary>The file's table, if it has this name.</summary>
    /// <exception cref="TableNotFoundException">There is no such file, or its table has another name.</exception>
    /// <exception cref="TableFileException">It is not a table file, or cannot be read.</exception>
    public override Table Get(string name) =>
        Table.GetInfo().Name is var actual && actual == name
            ? Table
            : throw new TableNotFoundException(
                name,
                $"The file '{path}' contains the table '{actual}', not '{name}'.",
                $"Check the name, or name another file with {Term.Path}."
            );

    /// <inheritdoc/>
    public override void RequireFree(string name)
    {
        if (WriterLock.HolderOf(path) is { } holder)
            throw new TableBusyException(path, holder);
    }

    internal override ITable GetFor(string? name, string feedName) => name is null ? Table : Get(name);

    /// <summary>Opens the file for its writer. A file created here that stays empty is removed when it is closed.</summary>
    internal override async Task<ITableTarget> OpenAsync(
        string name,
        WriterOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        TableFolder.RequireWritable(path);
        var writerLock = options.Waits
            ? await WriterLock.WaitAsync(path, time, cancellationToken).ConfigureAwait(false)
            : TableFile.Guard(path, () => WriterLock.Take(path));
        var isNew = !File.Exists(path);
        try
        {
            if (IsPrivate)
                TableFile.Guard(path, () => PrivateFile.Require(path));
            return TableWriter.Open(path, name, writerLock, options.IsServed, removesUnused: isNew, options.CacheBytes);
        }
        catch
        {
            if (isNew)
                TableFile.DeleteUnused(path);
            // Leave nothing beside a file that is not a table.
            if (writerLock.IsNew && !Table.IsTable(path))
                writerLock.DisposeAndDelete();
            else
                writerLock.Dispose();
            throw;
        }
    }
}
