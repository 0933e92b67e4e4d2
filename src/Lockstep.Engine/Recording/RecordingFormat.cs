using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Lockstep.Engine.Recording;

/// <summary>A recording is a text file with one JSON object per line.</summary>
internal static class RecordingFormat
{
    /// <summary>One response.</summary>
    public const int Version = 1;

    /// <summary>A conversation: several responses, each with the request that it answers.</summary>
    public const int Conversation = 2;

    private static readonly JsonTypeInfo<RecordingLine> Line = new RecordingJson(
        new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            Converters = { new JsonStringEnumConverter<RecordingEnd>(JsonNamingPolicy.CamelCase) },
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }
    ).RecordingLine;

    public static string Write(RecordingLine line) => JsonSerializer.Serialize(line, Line);

    /// <summary>Streams a recording's lines; the first is the head's.</summary>
    /// <exception cref="InvalidRecordingException">It is not a recording, or it is torn.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IEnumerable<RecordingLine> Read(string path)
    {
        var number = 0;
        foreach (var text in File.ReadLines(path))
        {
            var line = Parse(text, path, ++number);
            if (number == 1 && line.Version is not (Version or Conversation))
                throw new InvalidRecordingException($"{path} is not a recording that this version can read. Record the feed again.");
            yield return line;
        }
        if (number == 0)
            throw new InvalidRecordingException($"{path} is empty. Record the feed again.");
    }

    private static RecordingLine Parse(string text, string path, int number)
    {
        try
        {
            return JsonSerializer.Deserialize(text, Line) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new InvalidRecordingException(
                $"Line {number} of {path} does not belong to a recording. Record the feed again, or cut the file off before that line.",
                error
            );
        }
    }
}

/// <summary>Writes and reads the lines of recordings without reflection.</summary>
[JsonSerializable(typeof(RecordingLine))]
internal sealed partial class RecordingJson : JsonSerializerContext;

/// <summary>A file is not a recording of a feed, or is damaged.</summary>
public sealed class InvalidRecordingException : FormatException
{
    internal InvalidRecordingException(string message, Exception? inner = null)
        : base(message, inner) { }
}
