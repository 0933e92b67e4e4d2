using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Lockstep.Cli.Output;

/// <summary>Writes single values as JSON, without reflection, which a native program does not have.</summary>
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(string))]
internal sealed partial class CliJson : JsonSerializerContext
{
    private static readonly CliJson Readable = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>A text as a JSON string.</summary>
    public static string Quote(string text) => JsonSerializer.Serialize(text, Default.String);

    /// <summary>A value on one line, with its text readable.</summary>
    public static string Compact(string json) => JsonSerializer.Serialize(System.Text.Json.JsonElement.Parse(json), Readable.JsonElement);
}
