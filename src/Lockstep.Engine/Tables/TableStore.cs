namespace Lockstep.Engine.Tables;

/// <summary>Where a sync keeps its table when that is not a file.</summary>
public abstract class TableStore
{
    private protected TableStore()
    {
    }

    /// <summary>The store in words, without secrets (I9).</summary>
    public abstract string Description { get; }

    /// <summary>Opens a table for its one writer; waits while there is another.</summary>
    /// <param name="name">The table's name; it is made if there is none.</param>
    /// <param name="time">The clock for waiting.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    internal abstract Task<ITableTarget> OpenAsync(string name, TimeProvider time, CancellationToken cancellationToken);
}
