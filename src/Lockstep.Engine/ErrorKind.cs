namespace Lockstep.Engine;

/// <summary>What a caller can do about an error. Front ends derive exit codes and categories from it.</summary>
public enum ErrorKind
{
    /// <summary>What was given is wrong: correct it.</summary>
    InvalidArgument,

    /// <summary>This cannot be done as things are: do something else first.</summary>
    InvalidState,

    /// <summary>A filter is wrong: correct it.</summary>
    Filter,

    /// <summary>What was asked for is not there: name another, or make it.</summary>
    NotFound,

    /// <summary>A name or place is taken: choose another.</summary>
    Conflict,

    /// <summary>A bound is exceeded: ask for less.</summary>
    LimitExceeded,

    /// <summary>The time was up: try again, or allow more.</summary>
    Timeout,

    /// <summary>A feed or peer cannot be reached, or was cut off: try again.</summary>
    Unreachable,

    /// <summary>A feed or database cannot be used for now: try again later.</summary>
    Unavailable,

    /// <summary>A feed or database refuses the credentials: give others.</summary>
    AccessDenied,

    /// <summary>The feed's address leads to no feed: correct it.</summary>
    FeedNotFound,

    /// <summary>A feed answers with something that cannot be used: correct the request, or tell its operator.</summary>
    UnexpectedAnswer,

    /// <summary>A whole set would remove too much to be believed: allow it, or tell the feed's operator.</summary>
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

    /// <summary>A transform gives no record: correct the transform.</summary>
    Transform,

    /// <summary>A file cannot be read or written, or is of another kind: name another, or repair it.</summary>
    FileUnusable,

    /// <summary>A table belongs to something else: use another table.</summary>
    TableMismatch,

    /// <summary>Somebody else writes to the table: wait for them.</summary>
    TableBusy,

    /// <summary>Another writer has taken the table over: wait in line behind it.</summary>
    TableTakenOver,

    /// <summary>A table has lost changes that were seen: look at all of it again.</summary>
    TableSetBack,

    /// <summary>A store of variables cannot be used for now: try again later.</summary>
    VariableStoreUnavailable,

    /// <summary>Another store of variables is in the place of the one that was read before: bring it back, or take the new one.</summary>
    VariableStoreReplaced,

    /// <summary>A source cannot give a client what it asks for: ask for something else.</summary>
    FeedRequest,

    /// <summary>A database is not set up for this: set it up.</summary>
    DatabaseSetup,
}
