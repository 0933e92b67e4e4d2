using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lockstep.Serving.Status;

/// <summary>Writes a server's description of itself as JSON, for the feed server and the test server alike.</summary>
internal static class StatusJson
{
    // JSON for programs, never embedded in a page.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write(JsonNode? answer)
    {
        using MemoryStream json = new();
        using (var writer = new Utf8JsonWriter(json, Options))
        {
            if (answer is null)
                writer.WriteNullValue();
            else
                answer.WriteTo(writer);
        }

        return json.ToArray();
    }

    public static JsonArray List(IEnumerable<JsonNode?> nodes) => new([.. nodes]);

    public static JsonArray List(IEnumerable<string> texts) => List(texts.Select(text => (JsonNode?)text));

    public static JsonObject Map(IEnumerable<KeyValuePair<string, string>> pairs) =>
        new(pairs.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
}
