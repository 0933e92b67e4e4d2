using Lockstep.Models;

namespace Lockstep;

/// <summary>Where peers reach models of this session. What it says is what is so at the moment of asking.</summary>
public sealed class ModelListenerInfo
{
    internal ModelListenerInfo(SessionListener listener) => Session = listener;

    /// <summary>Its address, with the port that is really bound. With one model a peer needs no more.</summary>
    public Uri Uri => Session.Uri;

    /// <summary>The names of the models that it offers.</summary>
    public string[] Model => Session.Names;

    /// <summary>The URI of each of these models, in the same order.</summary>
    public Uri[] ModelUri => Session.ModelUris;

    /// <summary>The port that is bound; -1 for a named pipe.</summary>
    public int Port => Uri.Port;

    /// <summary>False once it was stopped.</summary>
    public bool IsListening => Session.IsListening;

    /// <summary>How many connections ended by an error: refused, broken off, or not of the protocol.</summary>
    public int FailureCount => Session.FailureCount;

    /// <summary>What the last of these errors was; null if there was none.</summary>
    public string? LastError => Session.LastError?.Message;

    internal SessionListener Session { get; }

    /// <summary>The address.</summary>
    public override string ToString() => Uri.ToString();
}
