namespace Lockstep;

/// <summary>What a model holds.</summary>
public enum ModelKind
{
    /// <summary>Keys with values; the newest one wins.</summary>
    Model,

    /// <summary>Events, each of which gets to every node once.</summary>
    Events,

    /// <summary>One value, under the key <c>value</c>; the newest one wins. As npm's r-value.</summary>
    RValue,

    /// <summary>Rows by key, each an object of columns; the newest one wins per column. As npm's crdt.</summary>
    CrdtDoc,

    /// <summary>
    /// Keys with values that go when they are older than -MaximumEventAge, by default a day; objects are merged. As npm's expiry-model.
    /// </summary>
    ExpiryModel,
}

/// <summary>Which way changes go between a model and a peer.</summary>
public enum ModelDirection
{
    /// <summary>Both ways.</summary>
    Both,

    /// <summary>The model only sends; what the peer has does not come in.</summary>
    SendOnly,

    /// <summary>The model only receives; what it has does not go out.</summary>
    ReceiveOnly,
}

/// <summary>How the nodes of a model sign what they write.</summary>
public enum ModelSignature
{
    /// <summary>ECDSA on P-256 with SHA-256, where all nodes are Lockstep's.</summary>
    EcdsaP256,

    /// <summary>RSA with SHA-1, as npm scuttlebutt does: legacy, only for where npm nodes take part.</summary>
    RsaSha1,
}
