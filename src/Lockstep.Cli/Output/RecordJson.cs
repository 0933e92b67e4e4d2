using System.Buffers;
using System.Globalization;
using System.Text;
using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>
/// A record's JSON as one line that is safe for a terminal: control characters are written as equivalent JSON escapes. A file from
/// elsewhere may contain them raw, although JSON does not allow that in strings.
/// </summary>
internal static class RecordJson
{
    /// <summary>The first bytes of all control characters in UTF-8; few texts contain any of them.</summary>
    private static readonly SearchValues<byte> Suspects = SearchValues.Create([
        .. Enumerable.Range(0, 0x20).Select(b => (byte)b),
        0x7F,
        0xC2,
        0xD8,
        0xE2,
        0xEF,
    ]);

    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> json)
    {
        if (!json.ContainsAny(Suspects))
            return json;
        using var line = new MemoryStream(json.Length + 16);
        Write(json, line);
        return line.GetBuffer().AsSpan(0, (int)line.Length);
    }

    /// <summary>Writes it in place: a record may have a hundred megabytes.</summary>
    public static void Write(ReadOnlySpan<byte> json, Stream output)
    {
        for (var at = json.IndexOfAny(Suspects); at >= 0; at = json.IndexOfAny(Suspects))
        {
            output.Write(json[..at]);
            _ = Rune.DecodeFromUtf8(json[at..], out var rune, out var length);
            if (rune.Value is '\n' or '\r')
                output.WriteByte((byte)' ');
            else if (rune.IsBmp && PlainText.Steers((char)rune.Value))
                WriteEscape(rune.Value, output);
            else
                output.Write(json.Slice(at, length));
            json = json[(at + length)..];
        }

        output.Write(json);
    }

    private static void WriteEscape(int character, Stream output)
    {
        Span<byte> escape = stackalloc byte[6];
        (escape[0], escape[1]) = ((byte)'\\', (byte)'u');
        character.TryFormat(escape[2..], out _, "x4", CultureInfo.InvariantCulture);
        output.Write(escape);
    }
}
