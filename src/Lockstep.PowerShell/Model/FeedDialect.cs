namespace Lockstep;

/// <summary>How a feed writes its records.</summary>
public enum FeedDialect
{
    /// <summary>To be told by the first record.</summary>
    Auto = 0,

    /// <summary>The record's own fields, with an order field and <c>deleted_at</c>.</summary>
    Record = 1,

    /// <summary>
    /// An envelope of <c>txid</c>, <c>current_xmin</c>, <c>since</c> and <c>deleted</c> around the fields in <c>data</c>.
    /// </summary>
    Transaction = 2,
}
