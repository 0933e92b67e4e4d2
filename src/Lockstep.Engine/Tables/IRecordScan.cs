using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Reads the records of a table one after another. The current record's properties are valid until the next <see cref="Read"/>. One thread
/// at a time.
/// </summary>
public interface IRecordScan : IDisposable
{
    /// <summary>The record as one JSON object in UTF-8; for a deleted one, its last known state.</summary>
    ReadOnlySpan<byte> Json { get; }

    /// <summary>The record's key.</summary>
    RecordKey Key { get; }

    /// <summary>The table's number of the record's last change (I11).</summary>
    long Sequence { get; }

    /// <summary>Whether the record is deleted.</summary>
    bool IsDeleted { get; }

    /// <summary>What happened to the record after a sequence number below its own.</summary>
    ChangeKind KindSince(long sequence);

    /// <summary>
    /// <see cref="Json"/>, checked to be a JSON object: for callers that pass the text on without reading it. A file from elsewhere may
    /// contain anything.
    /// </summary>
    /// <exception cref="TableFileException">It is not a JSON object; the message has its key.</exception>
    internal ReadOnlySpan<byte> CheckedJson => Json;

    /// <summary>The key as bytes that sort in key order (<see cref="KeyEncoding"/>).</summary>
    internal ReadOnlySpan<byte> EncodedKey { get; }

    /// <summary>Advances to the next record; false if there is none.</summary>
    /// <exception cref="LockstepException">The table can no longer be read.</exception>
    bool Read();
}
