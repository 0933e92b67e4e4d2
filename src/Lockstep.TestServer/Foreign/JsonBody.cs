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

    /// <summary>Merges the members of one object into another.</summary>
    public static void LayOver(JsonObject under, JsonObject over)
    {
        foreach ((var name, var value) in over)
            under[name] = value?.DeepClone();
    }

    public static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);
}
