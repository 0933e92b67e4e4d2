namespace Lockstep;

/// <summary>How the nodes of a model sign what they write.</summary>
public enum ModelSignature
{
    /// <summary>ECDSA on P-256 with SHA-256, where all nodes are Lockstep's.</summary>
    EcdsaP256,

    /// <summary>RSA with SHA-1, as npm scuttlebutt does: legacy, only for where npm nodes take part.</summary>
    RsaSha1,
}
