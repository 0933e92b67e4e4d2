using Lockstep.Engine;

namespace Lockstep.Gossip;

/// <summary>The base of what a gossip node or stream reports as gone wrong.</summary>
public class GossipException(string message, string recommendedAction, Exception? innerException = null)
    : LockstepException(message, recommendedAction, innerException);

/// <summary>A peer sent a line that is no message of the protocol. The stream is closed; the node goes on.</summary>
public sealed class GossipProtocolException(string message, Exception? innerException = null)
    : GossipException(message, "Mend or replace the peer, or the file; this node is as it was.", innerException);

/// <summary>What is to be written is longer, or nested deeper, than peers accept. Nothing was changed.</summary>
public sealed class GossipChangeException(string message, Exception? innerException = null)
    : GossipException(message, "Divide the value among several keys, or keep it elsewhere and share where it is.", innerException);

/// <summary>
/// An id cannot be used: it is <c>__proto__</c>, is not well-formed text, differs from the id of the file, or a live peer has the same one.
/// </summary>
public sealed class GossipIdentityException(string message, string recommendedAction) : GossipException(message, recommendedAction);

/// <summary>A key cannot be read, or a peer does not use the signatures that this node requires.</summary>
public sealed class GossipSecurityException(string message, string recommendedAction, Exception? innerException = null)
    : GossipException(message, recommendedAction, innerException);

/// <summary>The file of a node cannot be opened, read or written. A node that could not write takes no further updates.</summary>
public sealed class GossipStoreException(string message, string recommendedAction, Exception? innerException = null)
    : GossipException(message, recommendedAction, innerException);

/// <summary>A peer could not be reached, or did not sync, as often as was to be tried.</summary>
public sealed class GossipUnreachableException(string message, Exception? innerException = null)
    : GossipException(
        message,
        "Check that the peer listens there and offers the model, or let more attempts fail before giving up.",
        innerException
    );
