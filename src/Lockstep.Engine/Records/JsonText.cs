using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Lockstep.Engine.Records;

/// <summary>Decodes JSON strings. Unlike <see cref="Utf8JsonReader.GetString"/> it accepts half a surrogate pair.</summary>
internal static class JsonText
{
    /// <summary>What is wrong with a JSON text, without what only .NET's programmers need.</summary>
    public static string Explain(JsonException error) =>
        error.Message.Split(" LineNumber")[0].Split(" Change the reader")[0].Split(" Path:")[0].TrimEnd('.');

    /// <summary>The text of the reader's current string or property name.</summary>
    public static string Decode(ref Utf8JsonReader reader) =>
        reader.ValueIsEscaped ? Unescape(reader.ValueSpan) : Encoding.UTF8.GetString(reader.ValueSpan);

    /// <summary>As <see cref="Decode"/>, of no more than so many bytes of the JSON: a longer text is cut.</summary>
    public static string DecodeStart(ref Utf8JsonReader reader, int bytes)
    {
        var text = reader.ValueSpan;
        if (text.Length <= bytes)
            return Decode(ref reader);
        var end = 0;
        for (var next = 0; next <= bytes; next += LengthAt(text, next))
            end = next;
        return Unescape(text[..end]);
    }

    /// <summary>The length of an escape or of a character in UTF-8.</summary>
    private static int LengthAt(ReadOnlySpan<byte> text, int at) =>
        text[at] switch
        {
            (byte)'\\' => text[at + 1] == 'u' ? 6 : 2,
            < 0xC0 => 1,
            < 0xE0 => 2,
            < 0xF0 => 3,
            _ => 4,
        };

    /// <summary>
    /// JSON as one line: its line breaks become blanks, which mean the same outside strings; inside strings there are none (RFC 8259).
    /// </summary>
    public static ReadOnlySpan<byte> OnOneLine(ReadOnlySpan<byte> json)
    {
        if (!json.ContainsAny((byte)'\n', (byte)'\r'))
            return json;
        var line = json.ToArray();
        PutOnOneLine(line);
        return line;
    }

    /// <inheritdoc cref="OnOneLine"/>
    public static void PutOnOneLine(Span<byte> json)
    {
        json.Replace((byte)'\n', (byte)' ');
        json.Replace((byte)'\r', (byte)' ');
    }

    /// <summary>
    /// Whether all strings and names in a JSON document are Unicode: others hold half a surrogate pair, or bytes that are not UTF-8.
    /// </summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static bool IsUnicode(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (!IsUnicode(ref reader))
                return false;
        }

        return true;
    }

    /// <summary>Whether the reader's current token is Unicode, if it is a string or a name.</summary>
    public static bool IsUnicode(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName))
            return true;
        try
        {
            _ = reader.GetString();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Whether a text is exactly one JSON object in UTF-8, nested no deeper than a record may be.</summary>
    public static bool IsObject(ReadOnlySpan<byte> json)
    {
        var scanner = new JsonScanner(json, RecordParser.MaximumDepth);
        return scanner.Peek() == JsonKind.Object
            && scanner.ReadValue(out _)
            && json[scanner.Position..].Trim(" \n\r\t"u8).IsEmpty
            && Utf8.IsValid(json);
    }

    private static string Unescape(ReadOnlySpan<byte> escaped)
    {
        var text = new StringBuilder(escaped.Length);
        for (var next = escaped.IndexOf((byte)'\\'); next >= 0; next = escaped.IndexOf((byte)'\\'))
        {
            text.Append(Encoding.UTF8.GetString(escaped[..next]));
            var isCode = escaped[next + 1] == 'u';
            text.Append(isCode ? HexToChar(escaped.Slice(next + 2, 4)) : Unescape(escaped[next + 1]));
            escaped = escaped[(next + (isCode ? 6 : 2))..];
        }

        return text.Append(Encoding.UTF8.GetString(escaped)).ToString();
    }

    private static char Unescape(byte letter) =>
        letter switch
        {
            (byte)'b' => '\b',
            (byte)'f' => '\f',
            (byte)'n' => '\n',
            (byte)'r' => '\r',
            (byte)'t' => '\t',
            _ => (char)letter,
        };

    private static char HexToChar(ReadOnlySpan<byte> digits) =>
        (char)(Digit(digits[0]) << 12 | Digit(digits[1]) << 8 | Digit(digits[2]) << 4 | Digit(digits[3]));

    private static int Digit(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
