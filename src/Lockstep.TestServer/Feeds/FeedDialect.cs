namespace Lockstep.TestServer.Feeds;

/// <summary>The shape of what a scripted feed sends.</summary>
public enum FeedDialect
{
    /// <summary>The records as they were supplied.</summary>
    Record,

    /// <summary>
    /// Transaction rows (<c>txid</c>, <c>current_xmin</c>, <c>since</c>, <c>deleted</c>, <c>data</c>) and control rows. A supplied record
    /// that is such a row is sent as it is; any other becomes the <c>data</c> of one, each in a transaction of its own, deleted when its
    /// <c>deleted_at</c> is there and not null.
    /// </summary>
    Transaction,
}
