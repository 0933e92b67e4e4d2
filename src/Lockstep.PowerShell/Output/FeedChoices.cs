namespace Lockstep;

/// <summary>How a feed writes its records.</summary>
public enum FeedDialect
{
    /// <summary>Detected from the first record.</summary>
    Auto = 0,

    /// <summary>The record's own fields, with an order field and <c>deleted_at</c>.</summary>
    Record = 1,

    /// <summary>
    /// An envelope of <c>txid</c>, <c>current_xmin</c>, <c>since</c> and <c>deleted</c> around the fields in <c>data</c>.
    /// </summary>
    Transaction = 2,

    /// <summary>Another server's format, as the table's dialect describes it.</summary>
    Foreign = 3,
}

/// <summary>Where in a request the cursor goes.</summary>
public enum CursorStyle
{
    /// <summary>In the path when the URI ends with a slash, else in the query.</summary>
    Auto = 0,

    /// <summary>As the last element of the path: <c>/servers/998</c>.</summary>
    Path = 1,

    /// <summary>As the query's <c>since</c>: <c>/servers?since=998</c>.</summary>
    Query = 2,
}

/// <summary>How to authenticate with a feed.</summary>
public enum FeedAuthentication
{
    /// <summary>With what is given: a token, else user and password, else nothing.</summary>
    None = 0,

    /// <summary>With user and password.</summary>
    Basic = 1,

    /// <summary>With a token.</summary>
    Bearer = 2,
}

/// <summary>What a sync does with a malformed record.</summary>
public enum MalformedRecordAction
{
    /// <summary>It ends with an error; what came before the record is committed.</summary>
    Stop = 0,

    /// <summary>It quarantines the record in the table file and continues.</summary>
    Quarantine = 1,
}
