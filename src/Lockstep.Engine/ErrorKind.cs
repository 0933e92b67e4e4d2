namespace Lockstep.Engine;

/// <summary>What a caller can do about an error. Front ends derive exit codes and categories from it.</summary>
public enum ErrorKind
{
    /// <summary>An argument is wrong: correct it.</summary>
    InvalidArgument,

    /// <summary>This cannot be done in the current state: do something else first.</summary>
    InvalidState,

    /// <summary>A filter is wrong: correct it.</summary>
    Filter,

    /// <summary>What was asked for does not exist: name another, or create it.</summary>
    NotFound,

    /// <summary>A name or place is taken: choose another.</summary>
    Conflict,

    /// <summary>A limit is exceeded: ask for less.</summary>
    LimitExceeded,

    /// <summary>The time ran out: try again, or allow more.</summary>
    Timeout,

    /// <summary>A feed or peer cannot be reached, or was cut off: try again.</summary>
    Unreachable,

    /// <summary>A feed or database is unavailable for now: try again later.</summary>
    Unavailable,

    /// <summary>A feed or database refuses the credentials: supply others.</summary>
    AccessDenied,

    /// <summary>The feed's address leads to no feed: correct it.</summary>
    FeedNotFound,

    /// <summary>A feed's answer cannot be used: correct the request, or tell the feed's operator.</summary>
    UnexpectedAnswer,

    /// <summary>A whole set would remove too much to be credible: allow it, or tell the feed's operator.</summary>
    SweepRefused,

    /// <summary>A feed breaks the protocol: tell its operator.</summary>
    FeedProtocol,

    /// <summary>A peer breaks the protocol: repair or replace it.</summary>
    PeerProtocol,

    /// <summary>Credentials would be sent unencrypted: use https.</summary>
    InsecureCredentials,

    /// <summary>A key or signature cannot be used: check the keys.</summary>
    Signature,

    /// <summary>A record of the feed is malformed: tell its operator, or set such records aside.</summary>
    MalformedRecord,

    /// <summary>The feed ended within a record: sync again.</summary>
    TruncatedFeed,

    /// <summary>A transform returns no record: correct the transform.</summary>
    Transform,

    /// <summary>A file cannot be read or written, or is of another kind: name another, or repair it.</summary>
    FileUnusable,

    /// <summary>A table belongs to something else: use another table.</summary>
    TableMismatch,

    /// <summary>Somebody else writes to the table: wait for them.</summary>
    TableBusy,

    /// <summary>Another writer has taken over the table: wait in line behind it.</summary>
    TableTakenOver,

    /// <summary>A table has lost changes that a reader had seen: read all of it again.</summary>
    TableSetBack,

    /// <summary>A store of variables is unavailable for now: try again later.</summary>
    VariableStoreUnavailable,

    /// <summary>
    /// Another store of variables has taken the place of the one read before: bring that one back, or accept the new one.
    /// </summary>
    VariableStoreReplaced,

    /// <summary>A source cannot give a client what it asks for: ask for something else.</summary>
    FeedRequest,

    /// <summary>A database is not set up for this: set it up.</summary>
    DatabaseSetup,
}
