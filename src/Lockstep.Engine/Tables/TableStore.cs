namespace Lockstep.Engine.Tables;

/// <summary>Where a sync keeps its table when that is not a file.</summary>
public abstract class TableStore
{
    private protected TableStore() { }

    /// <summary>The store in words, without secrets (I9).</summary>
    public abstract string Description { get; }

    /// <summary>The tables that are kept there, by name.</summary>
    /// <exception cref="TableStoreException">The store cannot be reached.</exception>
    public abstract IReadOnlyList<ITable> Find();

    /// <summary>A table by its name.</summary>
    /// <exception cref="TableNotFoundException">There is none.</exception>
    /// <exception cref="TableStoreException">The store cannot be reached.</exception>
    public abstract ITable Get(string name);

    /// <summary>Opens a table for its one writer; waits while there is another.</summary>
    /// <param name="name">The table's name; it is made if there is none.</param>
    /// <param name="time">The clock for waiting.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="TableStoreException">The store cannot be reached.</exception>
    internal abstract Task<ITableTarget> OpenAsync(string name, TimeProvider time, CancellationToken cancellationToken);
}

/// <summary>
/// A writer cannot go on with a store for now: it went away, or another writer has taken the table over. Whoever opens the table again
/// waits in line and goes on from what is committed.
/// </summary>
public abstract class TableStoreException : LockstepException
{
    private protected TableStoreException(ErrorKind kind, string message, Remedy remedy, Exception? inner = null)
        : base(kind, message, remedy, inner) { }
}
