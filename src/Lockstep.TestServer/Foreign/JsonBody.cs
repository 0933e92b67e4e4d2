using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Engine;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Foreign;

/// <summary>Converts JSON between a test's records and the answers made of them; numbers keep their digits.</summary>
internal static class JsonBody
{
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads a record.</summary>
    /// <exception cref="InvalidRecordException">It is not one JSON object.</exception>
    public static JsonObject Read(ReadOnlyMemory<byte> json)
    {
        RecordTraits.Read(json.Span, "");
        try
        {
            var record = JsonNode.Parse(json.Span)!.AsObject();
            // Reject duplicate member names here, not when the first client asks.
            record.ContainsKey("");
            return record;
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            throw new InvalidRecordException($"A record is not valid JSON: {PlainText.MessageOf(error)}", error);
        }
    }

    /// <summary>One line of UTF-8 without whitespace.</summary>
    public static ReadOnlyMemory<byte> Write(JsonNode json)
    {
        ArrayBufferWriter<byte> output = new();
        using (Utf8JsonWriter writer = new(output, Compact))
            json.WriteTo(writer);
        return output.WrittenMemory;
    }

    /// <summary>A text as a JSON string, with its quotes.</summary>
    public static string Quote(string text) => Encoding.UTF8.GetString(Write(JsonValue.Create(text)).Span);

    /// <summary>A key's value as text: a string's content, otherwise the JSON; null if there is none.</summary>
    public static string? Text(JsonNode? value) =>
        value switch
        {
            null => null,
            JsonValue text when text.GetValueKind() == JsonValueKind.String => text.GetValue<string>(),
            _ => value.ToJsonString(),
        };

    /// <summary>How the name of a list of changes ends, such as <c>members@delta</c>.</summary>
    public const string ChangesSuffix = "@delta";

    /// <summary>Merges the members of one object into another; of a list of changes, element by element.</summary>
    /// <param name="under">What changes.</param>
    /// <param name="over">The newer members.</param>
    /// <param name="isWhole">Whether the result is all that there is, so that no element of such a list is one that is gone.</param>
    public static void LayOver(JsonObject under, JsonObject over, bool isWhole = false)
    {
        foreach ((var name, var value) in over)
        {
            var isChanges = name.EndsWith(ChangesSuffix, StringComparison.Ordinal);
            under[name] =
                isChanges && value is JsonArray newer && under[name] is JsonArray older ? Fold(older, newer, isWhole) : value?.DeepClone();
        }
    }

    /// <summary>Two lists of changes as one: the newest of each element.</summary>
    private static JsonArray Fold(JsonArray older, JsonArray newer, bool isWhole)
    {
        var changed = newer.Select(IdOf).ToHashSet();
        var kept = older.Where(element => !changed.Contains(IdOf(element))).Concat(newer);
        return
        [
            .. kept.Where(element => !isWhole || element is not JsonObject { } child || !child.ContainsKey("@removed"))
                .Select(element => element?.DeepClone()),
        ];
    }

    private static string? IdOf(JsonNode? element) => Text(element is JsonObject child ? child["id"] : element);

    public static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);
}
