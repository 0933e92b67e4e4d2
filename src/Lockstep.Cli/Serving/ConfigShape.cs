using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Lockstep.Engine;

namespace Lockstep.Cli.Serving;

/// <summary>Checks the members of a JSON configuration and the kinds of their values before they become objects.</summary>
/// <remarks>The errors of <c>System.Text.Json</c> name types of .NET, which tell nothing to who wrote the file.</remarks>
internal static class ConfigShape
{
    /// <exception cref="ArgumentException">
    /// A member is unknown or missing, or a value is of another kind; the message says where.
    /// </exception>
    /// <param name="value">The configuration, or a part of it.</param>
    /// <param name="type">What it is to become.</param>
    /// <param name="at">Where it is, such as <c>databases[0].tables</c>; empty for the whole.</param>
    public static void Check(JsonElement value, JsonTypeInfo type, string at = "")
    {
        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object:
                CheckObject(value, type, at);
                break;
            case JsonTypeInfoKind.Enumerable:
                if (value.ValueKind != JsonValueKind.Array)
                    throw Wrong(at, "a list, such as [ ... ]");
                var element = type.Options.GetTypeInfo(type.Type.GetGenericArguments()[0]);
                var index = 0;
                foreach (var item in value.EnumerateArray())
                    Check(item, element, $"{at}[{index++}]");
                break;
            default:
                CheckValue(value, Nullable.GetUnderlyingType(type.Type) ?? type.Type, at);
                break;
        }
    }

    private static void CheckObject(JsonElement value, JsonTypeInfo type, string at)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Wrong(at, "an object, { ... }");
        string[] known = [.. type.Properties.Select(property => property.Name)];
        foreach (var member in value.EnumerateObject())
        {
            var place = at.Length == 0 ? member.Name : $"{at}.{member.Name}";
            var property =
                type.Properties.FirstOrDefault(property => property.Name == member.Name)
                ?? throw new ArgumentException(
                    $"{place} is not a member it can have.{Spelling.Suggestion(member.Name, known)} The members "
                        + $"{(at.Length == 0 ? "are" : $"of {at} are")} {string.Join(", ", known)}."
                );
            if (member.Value.ValueKind != JsonValueKind.Null || !CanBeNull(property))
                Check(member.Value, type.Options.GetTypeInfo(property.PropertyType), place);
        }

        foreach (var property in type.Properties)
        {
            if (property.IsRequired && !value.TryGetProperty(property.Name, out _))
                throw new ArgumentException($"{at} needs the member '{property.Name}'.");
        }
    }

    private static void CheckValue(JsonElement value, Type type, string at)
    {
        if (type.IsEnum)
        {
            var names = Enum.GetNames(type);
            var given = value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
            if (!names.Contains(given, StringComparer.OrdinalIgnoreCase))
                throw Wrong(at, $"one of {string.Join(", ", names.Select(name => $"\"{name}\""))}", Spelling.Suggestion(given, names));
        }
        else if (type == typeof(string) && value.ValueKind != JsonValueKind.String)
        {
            throw Wrong(at, "text, in quotes");
        }
        else if (type == typeof(bool) && value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            throw Wrong(at, "true or false, without quotes");
        }
        else if (type == typeof(int) && !(value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out _)))
        {
            throw Wrong(at, $"a whole number of at most {int.MaxValue}, without quotes");
        }
        else if (type == typeof(long) && !(value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _)))
        {
            throw Wrong(at, "a whole number, without quotes");
        }
        else if (type == typeof(double) && value.ValueKind != JsonValueKind.Number)
        {
            throw Wrong(at, "a number, without quotes");
        }
    }

    private static bool CanBeNull(JsonPropertyInfo property) =>
        property.PropertyType.IsValueType ? Nullable.GetUnderlyingType(property.PropertyType) is not null : property.IsSetNullable;

    private static ArgumentException Wrong(string at, string expected, string hint = "") =>
        new($"{(at.Length == 0 ? "it" : at)} must be {expected}.{hint}");
}
