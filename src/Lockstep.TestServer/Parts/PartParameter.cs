using System.Collections;
using System.ComponentModel;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace Lockstep.TestServer.Parts;

/// <summary>
/// One parameter of a <see cref="PartKind"/>. Its value may come as a JSON element, as a string, or as any object that converts.
/// </summary>
public sealed class PartParameter
{
    private readonly PropertyInfo _property;
    private readonly Type _type;
    private readonly bool _isSecret;

    internal PartParameter(PropertyInfo property)
    {
        _property = property;
        _type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        _isSecret = property.IsDefined(typeof(SecretAttribute));
        Name = property.Name;
        Description = property.GetCustomAttribute<DescriptionAttribute>()?.Description ?? "";
    }

    /// <summary>The name; compared without regard to case.</summary>
    public string Name { get; }

    /// <summary>What it means, with its unit.</summary>
    public string Description { get; }

    /// <summary>
    /// What it takes: <c>Int32</c>, <c>String</c>, <c>TimeSpan</c> (a number counts seconds), or the names to choose from.
    /// </summary>
    public string TypeName =>
        _type.IsEnum ? string.Join('|', Enum.GetNames(_type))
        : IsHeaders ? "Dictionary"
        : _type.Name;

    private bool IsHeaders => _type == typeof(IReadOnlyDictionary<string, string>);

    /// <exception cref="ArgumentException">The value does not fit.</exception>
    internal void Set(object part, object? value)
    {
        object? converted;
        try
        {
            converted = value is JsonElement json ? FromJson(json) : Convert(value);
        }
        catch (Exception error)
            when (error is FormatException or InvalidCastException or OverflowException or ArgumentException or InvalidOperationException)
        {
            throw new ArgumentException($"{Name} takes {TypeName}, not {(_isSecret ? "the value given" : $"'{value}'")}.", error);
        }
        _property.SetValue(part, converted);
    }

    internal object? Show(object part)
    {
        var value = _property.GetValue(part);
        return value is null ? null
            : _isSecret ? "***"
            : value;
    }

    private object? FromJson(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.Undefined => null,
            JsonValueKind.String => Convert(json.GetString()),
            JsonValueKind.True => Convert(true),
            JsonValueKind.False => Convert(false),
            JsonValueKind.Object when IsHeaders => Headers(
                json.EnumerateObject().Select(member => KeyValuePair.Create(member.Name, member.Value.ToString()))
            ),
            JsonValueKind.Number when _type == typeof(string) => json.GetRawText(),
            JsonValueKind.Number when _type == typeof(long) || _type == typeof(int) => Convert(json.GetInt64()),
            JsonValueKind.Number => Convert(json.GetDouble()),
            _ => throw new FormatException(),
        };

    private object? Convert(object? value)
    {
        if (value is null || _type.IsInstanceOfType(value))
            return value;
        if (IsHeaders && value is IDictionary pairs)
            return Headers(pairs.Cast<DictionaryEntry>().Select(pair => KeyValuePair.Create(Text(pair.Key), Text(pair.Value))));
        if (_type.IsEnum)
        {
            return Enum.TryParse(_type, Text(value), ignoreCase: true, out var named) && Enum.IsDefined(_type, named)
                ? named
                : throw new FormatException();
        }

        if (_type == typeof(TimeSpan))
        {
            return double.TryParse(Text(value), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
                ? TimeSpan.FromSeconds(seconds)
                : TimeSpan.Parse(Text(value), CultureInfo.InvariantCulture);
        }
        return System.Convert.ChangeType(value, _type, CultureInfo.InvariantCulture);
    }

    private static Dictionary<string, string> Headers(IEnumerable<KeyValuePair<string, string>> pairs) =>
        new(pairs, StringComparer.OrdinalIgnoreCase);

    private static string Text(object? value) => System.Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
}

/// <summary>Marks a parameter whose value is never shown (I9).</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SecretAttribute : Attribute;
