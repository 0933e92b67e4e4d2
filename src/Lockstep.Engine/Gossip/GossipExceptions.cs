namespace Lockstep.Engine.Gossip;

/// <summary>The root of what a gossip node or stream reports as gone wrong.</summary>
public class GossipException : Exception
{
    /// <summary>An error without further detail.</summary>
    public GossipException()
    {
    }

    /// <summary>An error with the sentence that tells what to do next.</summary>
    public GossipException(string message)
        : base(message)
    {
    }

    /// <summary>An error with its cause.</summary>
    public GossipException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>A peer sent a line that is no message of the protocol. The stream is closed; the node goes on.</summary>
public sealed class GossipProtocolException : GossipException
{
    /// <inheritdoc/>
    public GossipProtocolException()
    {
    }

    /// <inheritdoc/>
    public GossipProtocolException(string message)
        : base(message)
    {
    }

    /// <inheritdoc/>
    public GossipProtocolException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>An id cannot be used: it is <c>__proto__</c>, is not well-formed text, differs from the id of the file, or a live peer has the same one.</summary>
public sealed class GossipIdentityException : GossipException
{
    /// <inheritdoc/>
    public GossipIdentityException()
    {
    }

    /// <inheritdoc/>
    public GossipIdentityException(string message)
        : base(message)
    {
    }

    /// <inheritdoc/>
    public GossipIdentityException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>A key cannot be read, or a peer does not use the signatures that this node requires.</summary>
public sealed class GossipSecurityException : GossipException
{
    /// <inheritdoc/>
    public GossipSecurityException()
    {
    }

    /// <inheritdoc/>
    public GossipSecurityException(string message)
        : base(message)
    {
    }

    /// <inheritdoc/>
    public GossipSecurityException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>The file of a node cannot be opened, read or written. A node that could not write takes no further updates.</summary>
public sealed class GossipStoreException : GossipException
{
    /// <inheritdoc/>
    public GossipStoreException()
    {
    }

    /// <inheritdoc/>
    public GossipStoreException(string message)
        : base(message)
    {
    }

    /// <inheritdoc/>
    public GossipStoreException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
