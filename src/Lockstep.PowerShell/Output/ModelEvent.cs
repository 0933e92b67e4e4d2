namespace Lockstep;

/// <summary>One event of a model of events.</summary>
public sealed class ModelEvent
{
    internal ModelEvent(string model, string name, object?[] arguments, string source, DateTime time)
    {
        Model = model;
        Name = name;
        Argument = arguments;
        Source = source;
        Time = time;
    }

    /// <summary>The name of the model.</summary>
    public string Model { get; }

    /// <summary>The event's name.</summary>
    public string Name { get; }

    /// <summary>Its arguments: texts, numbers, booleans, objects and arrays.</summary>
    public object?[] Argument { get; }

    /// <summary>The id of the node that sent it.</summary>
    public string Source { get; }

    /// <summary>When that node sent it, by that node's clock, in local time.</summary>
    public DateTime Time { get; }

    /// <summary>Name and arguments.</summary>
    public override string ToString() => $"{Name}({string.Join(", ", Argument)})";
}
