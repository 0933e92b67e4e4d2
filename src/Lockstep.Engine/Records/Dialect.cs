namespace Lockstep.Engine.Records;

/// <summary>How a feed writes its records.</summary>
public enum Dialect
{
    /// <summary>Detected from the first record: one with a <c>txid</c> and an object <c>data</c> is of the transaction dialect.</summary>
    Auto = 0,

    /// <summary>The record's own fields at the top, with an order field and <c>deleted_at</c>.</summary>
    Record = 1,

    /// <summary>An envelope of <c>txid</c>, <c>current_xmin</c>, <c>since</c>, <c>deleted</c> around the fields in <c>data</c>.</summary>
    Transaction = 2,

    /// <summary>Another server's dialect, described in the table.</summary>
    Foreign = 3,
}
