namespace Lockstep;

/// <summary>A node whose changes came and are not applied, because one of them is refused for now.</summary>
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
    /// When the first of them may be applied, in local time, where its time is further ahead of this machine's clock than the model allows;
    /// null where it is not signed by a trusted key.
    /// </summary>
    public DateTime? Until { get; }

    /// <summary>How many changes are kept until then; others are asked for again.</summary>
    public int Count { get; }

    /// <summary>What is held and why, as a sentence.</summary>
    public override string ToString() =>
        Until is { } until
            ? $"Changes of '{Source}' are held until {until:G}: their time is further ahead of this machine's clock than the model allows."
            : $"Changes of '{Source}' are held: they are not signed by a key that the model trusts.";
}
