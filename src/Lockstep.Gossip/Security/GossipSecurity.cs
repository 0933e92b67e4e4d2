namespace Lockstep.Gossip.Security;

/// <summary>
/// Signs and verifies updates. The text that a signature covers is JavaScript's JSON text of <c>[change,timestamp,source]</c>.
/// Members may be called from several threads at once, except that updates of one stream are verified one after another.
/// </summary>
public abstract class GossipSecurity
{
    /// <summary>Raised when a key was added, so that updates which were held for want of it are looked at again.</summary>
    public event EventHandler? KeysChanged;

    /// <summary>This node's id, derived from its public key.</summary>
    public abstract string Id { get; }

    /// <summary>
    /// The name of the signature scheme, which a peer must announce as member <c>signature</c> of its header's <c>meta</c>; null where the
    /// peer need not know of it (npm scuttlebutt does not).
    /// </summary>
    public abstract string? Scheme { get; }

    /// <summary>The signature of a text, in base64.</summary>
    public abstract string Sign(ReadOnlySpan<byte> text);

    /// <summary>
    /// Whether a signature is the source's own. False for a source whose key is not known, and for text that is no base64.
    /// </summary>
    public abstract bool Verify(string source, ReadOnlySpan<byte> text, string signature);

    /// <summary>Raises <see cref="KeysChanged"/>.</summary>
    protected void OnKeysChanged() => KeysChanged?.Invoke(this, EventArgs.Empty);
}
