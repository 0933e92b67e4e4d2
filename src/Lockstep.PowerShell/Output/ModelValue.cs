namespace Lockstep;

/// <summary>The newest value of a key; from <c>Watch-LockstepModel</c>, a change.</summary>
public sealed class ModelValue
{
    internal ModelValue(string model, string key, object? value, bool isRemoved, string source, DateTime time)
    {
        Model = model;
        Key = key;
        Value = value;
        IsRemoved = isRemoved;
        Source = source;
        Time = time;
    }

    /// <summary>The name of the model.</summary>
    public string Model { get; }

    /// <summary>The key.</summary>
    public string Key { get; }

    /// <summary>The value: text, number, boolean, object or array; null for a key that was removed.</summary>
    public object? Value { get; }

    /// <summary>Whether the key was removed, which is the same as set to null.</summary>
    public bool IsRemoved { get; }

    /// <summary>The id of the node that set it.</summary>
    public string Source { get; }

    /// <summary>When that node set it, by that node's clock, in local time.</summary>
    public DateTime Time { get; }

    /// <summary>Key and value.</summary>
    public override string ToString() => IsRemoved ? $"{Key} removed" : $"{Key}={Value}";
}
