using System.Text.Encodings.Web;
using System.Text.Json;

namespace Lockstep.Cli.Output;

/// <summary>One JSON object per line, for machines.</summary>
internal static class JsonLines
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(Stream output, Action<Utf8JsonWriter> members)
    {
        using (var writer = new Utf8JsonWriter(output, Options))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
    }
}
