using System.Buffers;
using System.Text;

namespace Lockstep.Records;

/// <summary>
/// Writes JSON text in UTF-8. Unlike <see cref="System.Text.Json.Utf8JsonWriter"/>, which writes a replacement character, it preserves half
/// a surrogate pair as an escape, so that a feed's record can be written back unchanged. The caller is responsible for the structure.
/// </summary>
internal sealed class JsonOutput
{
    private static readonly SearchValues<char> Special = SearchValues.Create([
        .. Enumerable.Range(0, 0x20).Append('"').Append('\\').Concat(Enumerable.Range(0xD800, 0x800)).Select(code => (char)code),
    ]);

    private readonly ArrayBufferWriter<byte> _text = new();
    private bool _first = true;

    /// <summary>What was written since the last <see cref="Clear"/>.</summary>
    public ReadOnlyMemory<byte> Written => _text.WrittenMemory;

    public void Clear()
    {
        _text.ResetWrittenCount();
        _first = true;
    }

    public void Begin(char bracket)
    {
        Separate();
        Ascii([bracket]);
        _first = true;
    }

    public void End(char bracket)
    {
        Ascii([bracket]);
        _first = false;
    }

    /// <summary>The name of the member whose value is written next.</summary>
    public void Name(string name)
    {
        String(name);
        Ascii(":");
        _first = true;
    }

    /// <summary>A number, or one of the words <c>true</c>, <c>false</c> and <c>null</c>.</summary>
    public void Literal(ReadOnlySpan<char> literal)
    {
        Separate();
        Ascii(literal);
    }

    public void String(string text)
    {
        Separate();
        Ascii("\"");
        var rest = text.AsSpan();
        for (var next = rest.IndexOfAny(Special); next >= 0; next = rest.IndexOfAny(Special))
        {
            Encoding.UTF8.GetBytes(rest[..next], _text);
            rest = rest[(next + WriteSpecial(rest[next..]))..];
        }

        Encoding.UTF8.GetBytes(rest, _text);
        Ascii("\"");
    }

    /// <summary>Writes an escaped character, or a surrogate pair, and returns how many of the text's UTF-16 units it consumed.</summary>
    private int WriteSpecial(ReadOnlySpan<char> text)
    {
        if (char.IsHighSurrogate(text[0]) && text.Length > 1 && char.IsLowSurrogate(text[1]))
        {
            Encoding.UTF8.GetBytes(text[..2], _text);
            return 2;
        }

        Ascii(
            text[0] switch
            {
                '"' => "\\\"",
                '\\' => @"\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                var unit => $"\\u{(int)unit:x4}",
            }
        );
        return 1;
    }

    private void Separate()
    {
        if (!_first)
            Ascii(",");

        _first = false;
    }

    private void Ascii(ReadOnlySpan<char> text) => Encoding.ASCII.GetBytes(text, _text);
}
