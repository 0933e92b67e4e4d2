namespace Lockstep;

/// <summary>What a cmdlet accepts as a model: the object, even from another runspace, or the name of one in this session.</summary>
public sealed class ModelReference
{
    private readonly string _name;

    /// <summary>Refers to a model of the session by name, resolved when it is used.</summary>
    public ModelReference(string name) => _name = name ?? throw new ArgumentNullException(nameof(name));

    /// <summary>Refers to a model.</summary>
    public ModelReference(ModelInfo model)
    {
        Model = model ?? throw new ArgumentNullException(nameof(model));
        _name = model.Name;
    }

    /// <summary>The name.</summary>
    public override string ToString() => _name;

    /// <summary>The object; null if only its name was given.</summary>
    internal ModelInfo? Model { get; }
}
