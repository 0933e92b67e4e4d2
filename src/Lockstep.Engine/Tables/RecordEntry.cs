namespace Lockstep.Engine.Tables;

/// <summary>
/// One record of a batch; its variable parts are ranges in the batch's arena: the key followed by the order value, and the body.
/// </summary>
internal struct RecordEntry
{
    public long IntegerKey;
    public long IntegerOrder;
    public long TransactionId;
    public int KeyStart;
    public int KeyLength;
    public int OrderLength;
    public int BodyStart;
    public int BodyLength;
    public EntryFlags Flags;
}

[Flags]
internal enum EntryFlags : byte
{
    None = 0,
    Deleted = 1,
    OrderIsText = 2,
    HasTransactionId = 4,

    /// <summary>Its fields are merged into those of the stored record.</summary>
    Patch = 8,

    /// <summary>All records whose keys begin with its key are deleted.</summary>
    Parent = 16,
}
