using System.Text;
using System.Text.Json.Serialization;

namespace Lockstep.Engine.Recording;

/// <summary>One line of a recording. The first has the headers, the last how it ended, and those between hold bytes of the body.</summary>
internal sealed record RecordingLine
{
    /// <summary>The format's version; first line only.</summary>
    [JsonPropertyName("lockstepRecording")]
    public int? Version { get; init; }

    /// <summary>Where on the server this conversation's feed is: path and query. First line only.</summary>
    public string? Feed { get; init; }

    /// <summary>The request that a response of a conversation answers: path and query. The first line of each response.</summary>
    public string? Request { get; init; }

    public int? Status { get; init; }

    public Dictionary<string, string>? Headers { get; init; }

    /// <summary>Seconds since the headers.</summary>
    public double? At { get; init; }

    /// <summary>The bytes, if they are complete UTF-8.</summary>
    public string? Text { get; init; }

    /// <summary>The bytes otherwise.</summary>
    public byte[]? Base64 { get; init; }

    public RecordingEnd? End { get; init; }

    [JsonIgnore]
    public byte[] Bytes => Base64 ?? Encoding.UTF8.GetBytes(Text ?? "");

    public static RecordingLine Of(double at, ReadOnlySpan<byte> bytes)
    {
        try
        {
            return new RecordingLine { At = at, Text = StrictUtf8.GetString(bytes) };
        }
        catch (DecoderFallbackException)
        {
            return new RecordingLine { At = at, Base64 = bytes.ToArray() };
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
