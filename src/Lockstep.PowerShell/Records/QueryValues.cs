using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Numerics;
using System.Text.Json;
using Lockstep.Engine;

namespace Lockstep.Records;

/// <summary>Turns a user's keys and filter parameters into values for a query.</summary>
internal static class QueryValues
{
    /// <summary>The parts of a key: an array's elements, or a single value.</summary>
    public static IReadOnlyList<object> Key(object key) =>
        Unwrap(key) is IList parts and not byte[] ? [.. parts.Cast<object>().Select(KeyPart)] : [KeyPart(key)];

    /// <summary>The parameters of a filter, by name without prefix.</summary>
    public static IReadOnlyDictionary<string, object?> Parameters(IDictionary? given)
    {
        var parameters = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in given ?? new Hashtable())
        {
            var name = LanguagePrimitives.ConvertTo<string>(entry.Key).TrimStart('$', '@', ':');
            parameters[name] = Parameter(name, entry.Value);
        }

        return parameters;
    }

    private static object KeyPart(object? part) =>
        Unwrap(part) switch
        {
            string or long or BigInteger or decimal or double => Unwrap(part)!,
            int or short or byte or uint or ushort or sbyte => Convert.ToInt64(Unwrap(part), CultureInfo.InvariantCulture),
            null => throw new InvalidOptionException("A key is not null.", "Give the keys as strings or numbers."),
            var other => LanguagePrimitives.ConvertTo<string>(other),
        };

    private static object? Parameter(string name, object? value) =>
        Unwrap(value) switch
        {
            string when NumberText.Of(value) is { } number => Json(number),
            null or string or bool or long or double or decimal or ulong or BigInteger or Int128 or UInt128 => Unwrap(value),
            int or short or byte or uint or ushort or sbyte => Convert.ToInt64(Unwrap(value), CultureInfo.InvariantCulture),
            float number => (double)number,
            DateTime or DateTimeOffset => RecordSerializer.Iso(Unwrap(value)!),
            Guid or Uri or Enum or char or System.Net.IPAddress => Unwrap(value)!.ToString(),
            _ => throw new InvalidOptionException(
                $"The filter's parameter '{name}' is neither text nor a number, a boolean, a date or null.",
                "Give one of these: for a list, a parameter for each value."
            ),
        };

    private static JsonElement Json(string number)
    {
        using var document = JsonDocument.Parse(number);
        return document.RootElement.Clone();
    }

    private static object? Unwrap(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;
}
