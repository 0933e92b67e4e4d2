using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>
/// An existing table, wherever it is kept, for everything but syncing it. Any thread may call any member, even while a sync runs; only
/// those that write need exclusive access.
/// </summary>
public interface ITable
{
    /// <summary>Reads the table's description.</summary>
    /// <exception cref="TableNotFoundException">It is gone.</exception>
    TableInfo GetInfo();

    /// <summary>Opens a scan of records, as of one moment; dispose it.</summary>
    /// <param name="query">Which records; null for all that are not deleted, in key order.</param>
    /// <exception cref="TableNotFoundException">The table is gone.</exception>
    /// <exception cref="FilterException">The filter is not a read-only expression over the fields.</exception>
    IRecordScan Read(RecordQuery? query = null);

    /// <summary>How many records a query would read without paging.</summary>
    /// <inheritdoc cref="Read"/>
    long Count(RecordQuery query);

    /// <summary>The malformed records in quarantine, oldest first.</summary>
    IEnumerable<QuarantinedRecord> ReadQuarantined();

    /// <summary>
    /// The changes after a sequence number (I11), followed by new changes as syncs commit them, the newest state per record, until
    /// cancelled.
    /// </summary>
    /// <param name="since">The sequence number; null for only what changes from now on.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    /// <returns>
    /// A batch whenever there are changes; an empty batch at least four times a second, so that the caller can do other things.
    /// </returns>
    IAsyncEnumerable<IReadOnlyList<TableChange>> WatchAsync(
        long? since = null,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    );

    /// <summary>Waits until the table satisfies a condition.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="timeout">The longest wait; null to wait forever.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The table at that moment; null if the time ran out.</returns>
    Task<TableInfo?> WaitAsync(
        Func<TableInfo, bool> condition,
        TimeSpan? timeout,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    );

    /// <summary>Empties the table and unbinds it from its feed. Sequence numbers continue.</summary>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    void Clear();

    /// <summary>
    /// Forgets deleted records whose order value is below a cursor; an older cursor then needs a resync.
    /// </summary>
    /// <returns>How many were forgotten.</returns>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    long ClearTombstones(Cursor before);

    /// <summary>Empties the quarantine.</summary>
    /// <returns>How many were removed.</returns>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    long ClearQuarantined();

    /// <summary>Removes the table with everything in it.</summary>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    void Remove();
}
