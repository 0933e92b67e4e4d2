namespace Lockstep;

/// <summary>
/// A connection from a model to a peer, which is made again whenever it breaks. Its properties are read live.
/// </summary>
public sealed class ModelConnectionInfo
{
    internal ModelConnectionInfo(IModelConnectionState connection) => State = connection;

    /// <summary>The name of the model.</summary>
    public string Model => State.Model;

    /// <summary>The peer, without the query that its URI may have.</summary>
    public Uri Uri => State.Uri;

    /// <summary>Which way changes go.</summary>
    public ModelDirection Direction => State.Direction;

    /// <summary>Whether the peer is reached at this moment.</summary>
    public bool IsConnected => State.IsConnected;

    /// <summary>
    /// Whether, over the present connection, each side has what the other had when it was made; what came since goes at once.
    /// </summary>
    public bool IsSynced => State.IsSynced;

    /// <summary>Whether it has ended: disconnected, or an error that trying again cannot repair.</summary>
    public bool IsEnded => State.IsEnded;

    /// <summary>How many times it was made.</summary>
    public int ConnectionCount => State.ConnectionCount;

    /// <summary>Why the last attempt failed or the connection broke; null where nothing went wrong.</summary>
    public string? LastError => State.LastError?.Message;

    internal IModelConnectionState State { get; }

    /// <summary>The peer.</summary>
    public override string ToString() => Uri.ToString();
}
