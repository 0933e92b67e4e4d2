using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>
/// How a feed says which members of a record are its key, in the header <see cref="WireNames.KeyHeader"/>: a JSON array of their names, in
/// ASCII with other characters escaped; empty if it has no key or does not know it yet.
/// </summary>
internal static class KeyAnnouncement
{
    /// <summary>The header's value.</summary>
    public static string Format(IReadOnlyList<string> key)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartArray();
            foreach (var name in key)
                json.WriteStringValue(name);
            json.WriteEndArray();
        }

        return System.Text.Encoding.ASCII.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    /// <summary>The key that a header announces; null if there is none, or it cannot be parsed.</summary>
    public static IReadOnlyList<string>? Parse(string? header)
    {
        if (header is null)
            return null;
        try
        {
            using var json = JsonDocument.Parse(header);
            if (json.RootElement.ValueKind != JsonValueKind.Array)
                return null;
            string[] names = [.. json.RootElement.EnumerateArray().Select(name => name.GetString() ?? "")];
            return names.Length > 0 && names.All(FieldPath.IsValid) && names.Distinct(StringComparer.Ordinal).Count() == names.Length
                ? names
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
