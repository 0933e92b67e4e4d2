namespace Lockstep.Engine.Tables;

/// <summary>Where tables are kept: a file (<see cref="FileTableStore"/>) or a database. Immutable; any thread.</summary>
public abstract class TableStore
{
    private protected TableStore() { }

    /// <summary>A description of the store without secrets (I9): the file's full path, or the database.</summary>
    public abstract string Description { get; }

    /// <summary>The tables in the store, by name.</summary>
    /// <exception cref="TableStoreException">The store cannot be reached.</exception>
    public abstract IReadOnlyList<ITable> Find();

    /// <summary>A table by name.</summary>
    /// <exception cref="TableNotFoundException">There is no such table.</exception>
    /// <exception cref="TableStoreException">The store cannot be reached.</exception>
    public abstract ITable Get(string name);

    /// <summary>
    /// Throws if somebody is writing to a table now, for callers that would rather fail than wait. The table may or may not exist.
    /// </summary>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    /// <exception cref="TableStoreException">The store cannot be reached.</exception>
    public abstract void RequireFree(string name);

    /// <summary>A table by name or, without a name, the table that a sync of a feed would fill.</summary>
    /// <param name="name">The name; null when the caller gives none.</param>
    /// <param name="feedName">The name that the feed suggests.</param>
    /// <inheritdoc cref="Get"/>
    internal virtual ITable GetFor(string? name, string feedName) => Get(name ?? feedName);

    /// <summary>Opens a table for its only writer, and creates it if it does not exist.</summary>
    /// <param name="name">The table's name. A file that already contains a table keeps that table's name.</param>
    /// <param name="options">What the writer requires.</param>
    /// <param name="time">The clock for waiting.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="TableBusyException">Another writer has it, and the store does not wait.</exception>
    /// <exception cref="TableStoreException">The store cannot be reached.</exception>
    internal abstract Task<ITableTarget> OpenAsync(
        string name,
        WriterOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    );
}

/// <summary>What a writer requires of the store that opens a table for it.</summary>
/// <param name="Waits">Whether to wait for another writer of a file to end. In a database one leads and the others always wait.</param>
/// <param name="IsServed">Whether the table is being served, so that its commits must survive a power failure (I5).</param>
internal readonly record struct WriterOptions(bool Waits, bool IsServed)
{
    /// <summary>The size of SQLite's page cache in bytes; null for the default.</summary>
    public int? CacheBytes { get; init; }
}

/// <summary>
/// A writer cannot continue with a store for now: the connection was lost, or another writer has taken over the table. A caller that opens
/// the table again waits its turn, and continues from what is committed.
/// </summary>
public abstract class TableStoreException : LockstepException
{
    private protected TableStoreException(ErrorKind kind, string message, Remedy remedy, Exception? inner = null)
        : base(kind, message, remedy, inner) { }
}
