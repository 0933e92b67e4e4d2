namespace Lockstep;

/// <summary>What a model holds.</summary>
public enum ModelKind
{
    /// <summary>Keys with values; the newest one wins.</summary>
    Model,

    /// <summary>Events, each of which reaches every node once.</summary>
    Events,

    /// <summary>One value, under the key <c>value</c>; the newest one wins. Like npm's r-value.</summary>
    RValue,

    /// <summary>Rows by key, each an object of columns; the newest one wins per column. Like npm's crdt.</summary>
    CrdtDoc,

    /// <summary>
    /// Keys with values that disappear when they are older than -MaximumEventAge, by default a day; objects are merged. Like npm's
    /// expiry-model.
    /// </summary>
    ExpiryModel,
}

/// <summary>In which direction changes go between a model and a peer.</summary>
public enum ModelDirection
{
    /// <summary>In both directions.</summary>
    Both,

    /// <summary>The model only sends; the peer's changes do not come in.</summary>
    SendOnly,

    /// <summary>The model only receives; its own changes do not go out.</summary>
    ReceiveOnly,
}

/// <summary>How the nodes of a model sign what they write.</summary>
public enum ModelSignature
{
    /// <summary>ECDSA on P-256 with SHA-256, for models whose nodes are all Lockstep's.</summary>
    EcdsaP256,

    /// <summary>RSA with SHA-1, as in npm scuttlebutt: legacy, only for models that npm nodes share.</summary>
    RsaSha1,
}
