using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Lockstep.TestServer.Parts;

/// <summary>A kind of thing that can be made by name from parameters: out of JSON, a command line or PowerShell. Immutable.</summary>
/// <remarks>
/// Its parameters are the settable public properties of its class; their descriptions are the <see cref="DescriptionAttribute"/>s there,
/// and a <see cref="SecretAttribute"/> hides a value.
/// </remarks>
public sealed class PartKind
{
    private readonly Func<object> _make;
    private readonly Dictionary<string, PartParameter> _parameters;

    private PartKind(string name, string description, IEnumerable<PropertyInfo> properties, Func<object> make)
    {
        Name = name;
        Description = description;
        _make = make;
        Parameters =
        [
            .. properties
                .Where(property => property.CanWrite)
                .Select(property => new PartParameter(property))
                .OrderBy(parameter => parameter.Name, StringComparer.Ordinal),
        ];
        _parameters = Parameters.ToDictionary(parameter => parameter.Name, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The kind that makes parts of a class. A native program keeps the properties that this looks at.</summary>
    internal static PartKind Of<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] T>(string name)
        where T : class, new() =>
        new(name, typeof(T).GetCustomAttribute<DescriptionAttribute>()?.Description ?? "", typeof(T).GetProperties(), static () => new T());

    /// <summary>The name; compared without regard to case.</summary>
    public string Name { get; }

    /// <summary>What it does, in a sentence.</summary>
    public string Description { get; }

    /// <summary>What it takes, by name.</summary>
    public IReadOnlyList<PartParameter> Parameters { get; }

    /// <summary>Makes one.</summary>
    /// <exception cref="ArgumentException">A parameter is unknown, or its value does not fit.</exception>
    internal object Create(IEnumerable<KeyValuePair<string, object?>> values)
    {
        var part = _make();
        foreach ((var name, var value) in values)
        {
            if (!_parameters.TryGetValue(name, out var parameter))
            {
                throw new ArgumentException(
                    $"{Name} has no parameter {name}. It takes {string.Join(", ", Parameters.Select(known => known.Name))}."
                );
            }

            parameter.Set(part, value);
        }
        return part;
    }

    /// <summary>The parameters of a part that were set, for showing; secrets are replaced by <c>***</c> (I9).</summary>
    internal IReadOnlyDictionary<string, object> Show(object part)
    {
        var plain = _make();
        Dictionary<string, object> shown = new(StringComparer.OrdinalIgnoreCase);
        foreach (var parameter in Parameters)
        {
            if (parameter.Show(part) is { } value && !value.Equals(parameter.Show(plain)))
                shown[parameter.Name] = value;
        }
        return shown;
    }
}
