using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// The JSON body of a request, such as a GraphQL query: <c>{cursor}</c>, <c>{identity}</c> and <c>{timeout}</c> in its texts are replaced,
/// and a member is left out if one of them has no value. Other braces stay as they are. Immutable.
/// </summary>
internal sealed partial class RequestBody(JsonElement template)
{
    private readonly string _template = template.GetRawText();

    /// <summary>Whether it contains the cursor.</summary>
    public bool HasCursor =>
        Variable().Matches(_template).Any(match => match.Groups[1].Value.StartsWith("cursor", StringComparison.Ordinal));

    /// <summary>The bytes to send.</summary>
    /// <param name="value">Returns the value of a name, including what follows its colon; null if it has none.</param>
    /// <param name="places">JSON Pointers into the body, and the texts to put there.</param>
    public byte[] Fill(Func<string, string?> value, IEnumerable<KeyValuePair<string, string>> places)
    {
        var body = JsonNode.Parse(_template)!;
        Fill(body, value);
        foreach (var (pointer, text) in places)
            Set(body, FieldPath.Names(pointer), text);
        return System.Text.Encoding.UTF8.GetBytes(body.ToJsonString());
    }

    private static void Fill(JsonNode node, Func<string, string?> value)
    {
        if (node is JsonArray list)
        {
            foreach (var item in list.OfType<JsonNode>())
                Fill(item, value);
        }
        else if (node is JsonObject json)
        {
            foreach (var (name, member) in json.ToList())
            {
                if (member is JsonValue text && text.TryGetValue(out string? before))
                    Replace(json, name, before, value);
                else if (member is not null)
                    Fill(member, value);
            }
        }
    }

    private static void Replace(JsonObject json, string name, string before, Func<string, string?> value)
    {
        var lacks = false;
        var after = Variable()
            .Replace(
                before,
                match =>
                {
                    var text = value(match.Groups[1].Value);
                    lacks |= text is null;
                    return text ?? "";
                }
            );
        if (lacks)
            json.Remove(name);
        else if (after != before)
            json[name] = after;
    }

    private static void Set(JsonNode body, IReadOnlyList<string> names, string text)
    {
        for (var i = 0; i < names.Count - 1 && body is JsonObject json; i++)
            body = json[names[i]] ?? (json[names[i]] = new JsonObject());
        if (body is JsonObject last)
            last[names[^1]] = text;
    }

    [GeneratedRegex(@"\{((?:cursor|identity|timeout)(?::[^{}]*)?)\}")]
    private static partial Regex Variable();
}
