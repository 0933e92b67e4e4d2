using Lockstep.Models;

namespace Lockstep;

/// <summary>
/// Replicated data of this session, as <c>New-LockstepModel</c> returns it. What it says is what is so at the moment of asking; after it
/// was removed, what was so last is not kept.
/// </summary>
public sealed class ModelInfo
{
    internal ModelInfo(SessionModel model) => Session = model;

    /// <summary>By what name this session and its listeners know it.</summary>
    public string Name => Session.Name;

    /// <summary>The source of what is written here; no other live node may have it.</summary>
    public string Id => Session.Id;

    /// <summary>What it holds.</summary>
    public ModelKind Kind => Session.Kind;

    /// <summary>The file that keeps it; null where it lives as long as the session.</summary>
    public string? Path => Session.Path;

    /// <summary>How many keys have a value, or how many events there are.</summary>
    public int Count => Session.Count;

    /// <summary>How many peers it speaks with at this moment, whoever connected.</summary>
    public int PeerCount => Session.PeerCount;

    /// <summary>The connections that were made from here, until they are ended by <c>Disconnect-LockstepModel</c>.</summary>
    public ModelConnectionInfo[] Connection => Session.Connections;

    /// <summary>
    /// The nodes whose changes came and are not applied for now: not signed by a trusted key, or of a time that is too far ahead.
    /// </summary>
    public ModelHold[] Held => Session.Held;

    /// <summary>True once it was removed from the session.</summary>
    public bool IsRemoved => Session.IsRemoved;

    internal SessionModel Session { get; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
