using System.Buffers;
using System.Text;
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

    /// <summary>In characters. What is recorded is written in stretches that are far shorter.</summary>
    public const int LongestLine = 16 * 1024 * 1024;

    /// <summary>How long a stretch of a body is on one line, in bytes or characters.</summary>
    public const int Stretch = 64 * 1024;

    /// <summary>What a header's name is made of.</summary>
    private static readonly SearchValues<char> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    /// <summary>These say where an answer ends, which whoever sends it decides.</summary>
    private static readonly string[] Framing = ["Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade"];

    private static readonly JsonTypeInfo<RecordingLine> Line = new RecordingJson(
        new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            Converters = { new JsonStringEnumConverter<RecordingEnd>(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
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
        foreach (var text in Lines(path))
        {
            var line = Parse(text, path, ++number);
            if (number == 1 && line.Version is not (Version or Conversation))
                throw new InvalidRecordingException($"{path} is not a recording that this version can read. Record the feed again.");
            yield return line;
        }
        if (number == 0)
            throw new InvalidRecordingException($"{path} is empty. Record the feed again.");
    }

    /// <summary>The lines of a file, none of which takes up all memory: a recording may come from somebody else.</summary>
    private static IEnumerable<string> Lines(string path)
    {
        using var file = new StreamReader(path);
        var buffer = new char[Stretch];
        var line = new StringBuilder();
        for (int read; (read = file.Read(buffer, 0, buffer.Length)) > 0; )
        {
            for (var from = 0; from < read; )
            {
                var length = buffer.AsSpan(from, read - from).IndexOf('\n');
                line.Append(buffer, from, length < 0 ? read - from : length);
                if (line.Length > LongestLine)
                    throw new InvalidRecordingException($"{path} is not a recording: a line of it has more than {LongestLine} characters.");
                if (length < 0)
                    break;
                yield return line.ToString();
                line.Clear();
                from += length + 1;
            }
        }

        if (line.Length > 0)
            yield return line.ToString();
    }

    /// <summary>
    /// Why a replay cannot send what a line says, or null if it can: it leads to another server, or is not an HTTP answer.
    /// </summary>
    private static string? WhyNot(RecordingLine line)
    {
        if (line.Status is < 200 or > 999)
            return $"the status {line.Status}";
        if (!IsOwnPath(line.Feed) || !IsOwnPath(line.Request))
            return "an address that is not a path of the server";
        foreach ((var name, var value) in line.Headers ?? [])
        {
            if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(Token) || Framing.Contains(name, StringComparer.OrdinalIgnoreCase))
                return "a header that cannot be sent";
            if (!CanSend(value))
                return $"the header {name}, whose value cannot be sent";
        }

        return null;
    }

    /// <summary>Whether a server can send a header's value. A client is less strict with what it receives.</summary>
    public static bool CanSend(string? value) => value is not null && !value.AsSpan().ContainsAnyExceptInRange(' ', '~');

    /// <summary>Whether it is a path and perhaps a query: <c>//host/</c> and <c>/\host/</c> would name another server.</summary>
    private static bool IsOwnPath(string? text) =>
        text is null
        || (
            text is ['/', ..]
            && text is not ['/', '/' or '\\', ..]
            && !text.AsSpan().ContainsAnyExceptInRange('!', '~')
            && !text.Contains('#', StringComparison.Ordinal)
        );

    private static RecordingLine Parse(string text, string path, int number)
    {
        try
        {
            var line = JsonSerializer.Deserialize(text, Line) ?? throw new JsonException("null");
            return WhyNot(line) is { } why
                ? throw new InvalidRecordingException(
                    $"Line {number} of {path} holds {why}. A recording is replayed as it was made: record the feed again."
                )
                : line;
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
