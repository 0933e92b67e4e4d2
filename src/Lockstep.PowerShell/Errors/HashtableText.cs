using System.Text.Json;
using System.Text.RegularExpressions;

namespace Lockstep.Errors;

/// <summary>
/// JSON as PowerShell literals: objects become hashtables, lists arrays. A name from a server cannot break out of its quotes.
/// </summary>
internal static partial class HashtableText
{
    /// <param name="json">Valid JSON.</param>
    public static string Of(string json)
    {
        using var document = JsonDocument.Parse(json);
        return Of(document.RootElement);
    }

    private static string Of(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Object =>
                $"@{{ {string.Join("; ", value.EnumerateObject().Select(pair => $"{Name(pair.Name)} = {Of(pair.Value)}"))} }}",
            JsonValueKind.Array => $"@({string.Join(", ", value.EnumerateArray().Select(Of))})",
            JsonValueKind.String => Quote(value.GetString()!),
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.True => "$true",
            JsonValueKind.False => "$false",
            _ => "$null",
        };

    private static string Name(string name) => Word().IsMatch(name) ? name : Quote(name);

    /// <summary>Typographic quotes count as quotes in PowerShell too.</summary>
    private static string Quote(string text) => $"'{SingleQuote().Replace(text, "$0$0")}'";

    [GeneratedRegex("['\u2018-\u201b]")]
    private static partial Regex SingleQuote();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex Word();
}
