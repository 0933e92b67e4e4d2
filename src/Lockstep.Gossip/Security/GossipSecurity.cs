namespace Lockstep.Gossip.Security;

/// <summary>
/// Signs and verifies updates. There are two signatures: npm's, over JavaScript's JSON text of <c>[change,timestamp,source]</c>, and a
/// modern one, the seal, which also covers the model's name and a count of the source's updates. A scheme has one of them or both. Members
/// may be called from several threads at once, except that updates of one stream are verified one after another.
/// </summary>
public abstract class GossipSecurity
{
    /// <summary>Raised when a key has been added, so that updates held for lack of it are checked again.</summary>
    public event EventHandler? KeysChanged;

    /// <summary>This node's id, derived from its public key.</summary>
    public abstract string Id { get; }

    /// <summary>
    /// The name of the signature scheme, which a peer must announce as member <c>signature</c> of its header's <c>meta</c>; null if the
    /// peer need not know about it (npm scuttlebutt does not).
    /// </summary>
    public abstract string? Scheme { get; }

    /// <summary>The signature of a text, in base64.</summary>
    public abstract string Sign(ReadOnlySpan<byte> text);

    /// <summary>
    /// Whether a signature is the source's own. False for a source whose key is unknown, and for text that is not base64.
    /// </summary>
    public abstract bool Verify(string source, ReadOnlySpan<byte> text, string signature);

    /// <summary>Whether the scheme has modern signatures. Default false.</summary>
    public virtual bool Seals => false;

    /// <summary>Whether an update with a modern signature also has npm's. Default true.</summary>
    public virtual bool SignsSealed => true;

    /// <summary>Throws if the node has no key to sign with. Called before anything is changed.</summary>
    /// <exception cref="GossipSecurityException">The node cannot write.</exception>
    public virtual void RequireSigningKey() { }

    /// <summary>The modern signature of a text, in base64.</summary>
    public virtual string Seal(ReadOnlySpan<byte> text) => throw new NotSupportedException("The scheme has no modern signatures.");

    /// <summary>As <see cref="Verify"/>, for a modern signature.</summary>
    public virtual bool VerifySeal(string source, ReadOnlySpan<byte> text, string signature) => false;

    /// <summary>Raises <see cref="KeysChanged"/>.</summary>
    protected void OnKeysChanged() => KeysChanged?.Invoke(this, EventArgs.Empty);
}
