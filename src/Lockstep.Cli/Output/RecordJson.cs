using System.Buffers;
using System.Text;
using Lockstep.Engine;
using Lockstep.Engine.Records;

namespace Lockstep.Cli.Output;

/// <summary>
/// A record's JSON as one line that may go to a terminal: control characters are written as JSON escapes, which mean the same. A file from
/// elsewhere may hold them raw, although JSON does not allow that within strings.
/// </summary>
internal static class RecordJson
{
    /// <summary>The first bytes of all control characters in UTF-8; few texts contain any of these.</summary>
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
        var line = JsonText.OnOneLine(json);
        if (!line.ContainsAny(Suspects))
            return line;
        var text = Encoding.UTF8.GetString(line);
        // Not Of: a separator of lines within a text is data, which a blank would change.
        var plain = PlainText.Lines(text);
        return ReferenceEquals(plain, text) ? line : Encoding.UTF8.GetBytes(plain);
    }
}
