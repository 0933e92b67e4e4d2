namespace Lockstep;

/// <summary>
/// Replicated data of this session, as <c>New-LockstepModel</c> returns it. Its properties are read live; its last state is not kept after
/// it is removed.
/// </summary>
public sealed class ModelInfo
{
    internal ModelInfo(IModelState model) => State = model;

    /// <summary>Its name in this session and its listeners.</summary>
    public string Name => State.Name;

    /// <summary>The source id of what is written here; no other live node may have it.</summary>
    public string Id => State.Id;

    /// <summary>What it holds.</summary>
    public ModelKind Kind => State.Kind;

    /// <summary>The file that keeps it; null if it lives as long as the session.</summary>
    public string? Path => State.Path;

    /// <summary>How many keys have a value, or how many events there are.</summary>
    public int Count => State.Count;

    /// <summary>How many peers are currently connected, whichever side connected.</summary>
    public int PeerCount => State.PeerCount;

    /// <summary>The connections that this session opened, until <c>Disconnect-LockstepModel</c> ends them.</summary>
    public ModelConnectionInfo[] Connection => State.Connections;

    /// <summary>
    /// The nodes whose changes arrived but are not applied for now: no trusted key signed them, or their time is too far ahead.
    /// </summary>
    public ModelHold[] Held => State.Held;

    /// <summary>The nodes with changes missing here, as their signed count shows.</summary>
    public ModelMissing[] Missing => State.Missing;

    /// <summary>How many changes were refused, because the model knew -MaximumSourceCount sources and theirs was a new one.</summary>
    public long RefusedCount => State.RefusedCount;

    /// <summary>True once it has been removed from the session.</summary>
    public bool IsRemoved => State.IsRemoved;

    internal IModelState State { get; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}

/// <summary>A node with changes missing here, as its signed count shows.</summary>
public sealed class ModelMissing
{
    internal ModelMissing(string source, long count, string numbers)
    {
        Source = source;
        Count = count;
        Number = numbers;
    }

    /// <summary>The id of the node that made the changes.</summary>
    public string Source { get; }

    /// <summary>How many changes are missing, at least.</summary>
    public long Count { get; }

    /// <summary>Which of the node's changes of this model, counted from 1: <c>3-5,8</c>.</summary>
    public string Number { get; }

    /// <summary>What is missing and why, as a sentence.</summary>
    public override string ToString() =>
        $"Changes of '{Source}' are missing (number {Number}): a peer holds them back, or another node replaced them before "
        + $"'{Source}' knew.";
}

/// <summary>A node whose changes arrived but are not applied, because one of them is refused for now.</summary>
public sealed class ModelHold
{
    internal ModelHold(string source, DateTime? until, int count)
    {
        Source = source;
        Until = until;
        Count = count;
    }

    /// <summary>The id of the node that made the changes.</summary>
    public string Source { get; }

    /// <summary>
    /// When the first of them may be applied, in local time, if its time is further ahead of this machine's clock than the model allows;
    /// null if no trusted key signed it.
    /// </summary>
    public DateTime? Until { get; }

    /// <summary>How many changes are kept until then; others will be requested again.</summary>
    public int Count { get; }

    /// <summary>What is held and why, as a sentence.</summary>
    public override string ToString() =>
        Until is { } until
            ? $"Changes of '{Source}' are held until {until:G}: their time is further ahead of this machine's clock than the model allows."
            : $"Changes of '{Source}' are held: they are not signed by a key that the model trusts.";
}
