using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>What happened to a record.</summary>
public enum ChangeKind
{
    /// <summary>It was not in the table before.</summary>
    Added = 1,

    /// <summary>It was in the table, and has changed.</summary>
    Updated = 2,

    /// <summary>The feed deleted it, or a snapshot no longer contains it.</summary>
    Deleted = 3,
}

/// <summary>One committed change of a table. Immutable.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Key">The record's key.</param>
/// <param name="Sequence">The table's own number of this change; numbers only increase (I11).</param>
/// <param name="Record">The record as one JSON object in UTF-8: its new state, or the last known state of a deleted one.</param>
public sealed record TableChange(ChangeKind Kind, RecordKey Key, long Sequence, ReadOnlyMemory<byte> Record);
