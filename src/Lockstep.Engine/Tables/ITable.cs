using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A table that exists, wherever it is kept, for everything but syncing it. Any thread may call any of the members, even while a sync runs;
/// only those that write need the table to themselves.
/// </summary>
public interface ITable
{
    /// <summary>What is known of the table.</summary>
    /// <exception cref="TableNotFoundException">It is gone.</exception>
    TableInfo GetInfo();

    /// <summary>Opens a scan of records, as of one moment; dispose it.</summary>
    /// <param name="query">Which; null for all that are not deleted, in the order of their keys.</param>
    /// <exception cref="TableNotFoundException">The table is gone.</exception>
    /// <exception cref="FilterException">The filter is no read-only expression over the fields.</exception>
    IRecordScan Read(RecordQuery? query = null);

    /// <summary>How many records a query would read without its paging.</summary>
    /// <inheritdoc cref="Read"/>
    long Count(RecordQuery query);

    /// <summary>The malformed records that were set aside, oldest first.</summary>
    IEnumerable<QuarantinedRecord> ReadQuarantined();

    /// <summary>
    /// The changes after a sequence number (I11), and then the changes as syncs commit them, newest state per record, until cancelled.
    /// </summary>
    /// <param name="since">The sequence number; null for what comes from now on.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    /// <returns>
    /// A batch whenever a look found something; an empty batch at least four times a second, so that the caller can do other things.
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

    /// <summary>Empties the table, and unbinds it from its feed. Sequence numbers continue.</summary>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    void Clear();

    /// <summary>
    /// Forgets deleted records whose order value is below a cursor; an older cursor then needs a resync.
    /// </summary>
    /// <returns>How many were forgotten.</returns>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    long ClearTombstones(Cursor before);

    /// <summary>Empties the quarantine: the malformed records that were set aside.</summary>
    /// <returns>How many were removed.</returns>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    long ClearQuarantined();

    /// <summary>Removes the table with everything in it.</summary>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    void Remove();
}
