using Lockstep.Engine;

namespace Lockstep.Gossip;

/// <summary>The base of the errors that a gossip node or stream reports.</summary>
public class GossipException : LockstepException
{
    /// <summary>Creates the error with what happened and what to do about it.</summary>
    public GossipException(string message, Remedy remedy, Exception? innerException = null)
        : this(ErrorKind.InvalidState, message, remedy, innerException) { }

    /// <summary>Creates the error with its kind, what happened and what to do about it.</summary>
    protected GossipException(ErrorKind kind, string message, Remedy remedy, Exception? innerException = null)
        : base(kind, message, remedy, innerException) { }
}

/// <summary>A peer sent a line that is not a message of the protocol. The stream is closed; the node continues.</summary>
public sealed class GossipProtocolException(string message, Exception? innerException = null)
    : GossipException(ErrorKind.PeerProtocol, message, "Repair or replace the peer, or the file; this node is unchanged.", innerException);

/// <summary>A change is longer, or nested deeper, than peers accept. Nothing was changed.</summary>
public sealed class GossipChangeException(string message, Exception? innerException = null)
    : GossipException(
        ErrorKind.LimitExceeded,
        message,
        "Split the value across several keys, or keep it elsewhere and share its location.",
        innerException
    );

/// <summary>
/// An id cannot be used: it is <c>__proto__</c>, is not well-formed text, differs from the id of the file, or is in use by a live peer.
/// </summary>
public sealed class GossipIdentityException(string message, Remedy remedy) : GossipException(ErrorKind.InvalidArgument, message, remedy);

/// <summary>A key cannot be read, or a peer does not use the signatures that this node requires.</summary>
public sealed class GossipSecurityException(string message, Remedy remedy, Exception? innerException = null)
    : GossipException(ErrorKind.Signature, message, remedy, innerException);

/// <summary>A node's file cannot be opened, read or written. A node that could not write accepts no further updates.</summary>
public sealed class GossipStoreException(string message, Remedy remedy, Exception? innerException = null)
    : GossipException(ErrorKind.FileUnusable, message, remedy, innerException);

/// <summary>A peer could not be reached, or did not sync, within the permitted number of attempts.</summary>
public sealed class GossipUnreachableException(string message, Exception? innerException = null)
    : GossipException(
        ErrorKind.Unreachable,
        message,
        "Check that the peer listens there and offers the model, or let more attempts fail before giving up.",
        innerException
    );

/// <summary>A peer, or a file, announces another kind of node: what the two send each other would be lost or misinterpreted.</summary>
public sealed class GossipKindException(string ours, string theirs)
    : GossipException(
        ErrorKind.InvalidArgument,
        $"This is a node of kind '{ours}' and the peer is one of kind '{theirs}'.",
        "Connect it with a node of its own kind."
    );
