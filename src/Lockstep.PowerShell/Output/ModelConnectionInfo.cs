namespace Lockstep;

/// <summary>A connection from a model to a peer, opened again whenever it breaks. Its properties are read live.</summary>
public sealed class ModelConnectionInfo
{
    internal ModelConnectionInfo(IModelConnectionState connection) => State = connection;

    /// <summary>The name of the model.</summary>
    public string Model => State.Model;

    /// <summary>The peer, without the URI's query.</summary>
    public Uri Uri => State.Uri;

    /// <summary>In which direction changes go.</summary>
    public ModelDirection Direction => State.Direction;

    /// <summary>Whether the peer is connected at this moment.</summary>
    public bool IsConnected => State.IsConnected;

    /// <summary>
    /// Whether, over the current connection, each side has what the other had when it opened; later changes are sent at once.
    /// </summary>
    public bool IsSynced => State.IsSynced;

    /// <summary>Whether it has ended: disconnected, or failed with an error that a retry cannot repair.</summary>
    public bool IsEnded => State.IsEnded;

    /// <summary>How many times it was opened.</summary>
    public int ConnectionCount => State.ConnectionCount;

    /// <summary>Why the last attempt failed or the connection broke; null if nothing went wrong.</summary>
    public string? LastError => State.LastError?.Message;

    internal IModelConnectionState State { get; }

    /// <summary>The peer.</summary>
    public override string ToString() => Uri.ToString();
}
