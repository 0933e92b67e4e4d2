namespace Lockstep;

/// <summary>Where peers reach models of this session. Its properties are read live.</summary>
public sealed class ModelListenerInfo
{
    internal ModelListenerInfo(IModelListenerState listener) => State = listener;

    /// <summary>Its address, with the port it is bound to. If it offers one model, a peer needs no more.</summary>
    public Uri Uri => State.Uri;

    /// <summary>The names of the models that it offers.</summary>
    public string[] Model => State.Names;

    /// <summary>The URI of each of these models, in the same order.</summary>
    public Uri[] ModelUri => State.ModelUris;

    /// <summary>The port that is bound; -1 for a named pipe.</summary>
    public int Port => Uri.Port;

    /// <summary>False once it has been stopped.</summary>
    public bool IsListening => State.IsListening;

    /// <summary>How many connections ended with an error: refused, cut off, or not following the protocol.</summary>
    public int FailureCount => State.FailureCount;

    /// <summary>The last of these errors; null if there was none.</summary>
    public string? LastError => State.LastError?.Message;

    internal IModelListenerState State { get; }

    /// <summary>The address.</summary>
    public override string ToString() => Uri.ToString();
}
