namespace Lockstep;

/// <summary>Where peers reach models of this session. Its properties are read live.</summary>
public sealed class ModelListenerInfo
{
    internal ModelListenerInfo(IModelListenerState listener) => State = listener;

    /// <summary>Its address, with the port that is really bound. With one model a peer needs no more.</summary>
    public Uri Uri => State.Uri;

    /// <summary>The names of the models that it offers.</summary>
    public string[] Model => State.Names;

    /// <summary>The URI of each of these models, in the same order.</summary>
    public Uri[] ModelUri => State.ModelUris;

    /// <summary>The port that is bound; -1 for a named pipe.</summary>
    public int Port => Uri.Port;

    /// <summary>False once it was stopped.</summary>
    public bool IsListening => State.IsListening;

    /// <summary>How many connections ended by an error: refused, broken off, or not of the protocol.</summary>
    public int FailureCount => State.FailureCount;

    /// <summary>What the last of these errors was; null if there was none.</summary>
    public string? LastError => State.LastError?.Message;

    internal IModelListenerState State { get; }

    /// <summary>The address.</summary>
    public override string ToString() => Uri.ToString();
}
