using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Lockstep.Engine.Gossip;

/// <summary>
/// JSON text as JavaScript's JSON.stringify writes it, which is what signatures cover: no white space, integer-like keys first and ascending,
/// numbers in their shortest form (ECMA-262, Number::toString), only what must be escaped is escaped, the last of equal keys wins.
/// Reads and writes strings with unpaired surrogates, which JavaScript has and System.Text.Json refuses.
/// </summary>
internal static class GossipJson
{
    public const string ForbiddenName = "__proto__";

    /// <summary>How deep a line may be nested.</summary>
    private const int MaxLineDepth = 512;

    /// <summary>How deep a value that is written here may be nested: it goes into a change and that into an update, and the line must be one that peers and the node's own file take.</summary>
    public const int MaxValueDepth = MaxLineDepth - 2;

    public static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxLineDepth };
    private static readonly JsonReaderOptions ValueOptions = new() { MaxDepth = MaxValueDepth };

    /// <summary>Copies one JSON value without the white space between its tokens, so that it fits on a line; everything else stays as it is.</summary>
    public static void WriteCompact(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        var reader = new Utf8JsonReader(json, ValueOptions);
        var separate = false;
        while (reader.Read())
        {
            var closes = reader.TokenType is JsonTokenType.EndArray or JsonTokenType.EndObject;
            if (separate && !closes)
            {
                output.Write(","u8);
            }

            output.Write(json[(int)reader.TokenStartIndex..TokenEnd(in reader)]);
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                output.Write(":"u8);
            }

            separate = reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject or JsonTokenType.PropertyName);
        }
    }

    // BytesConsumed of a property name includes its colon and the white space before it.
    private static int TokenEnd(in Utf8JsonReader reader) => reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String
        ? (int)reader.TokenStartIndex + reader.ValueSpan.Length + 2
        : (int)reader.BytesConsumed;

    /// <summary>Whether what is wrong with a JSON value is its depth and nothing else.</summary>
    public static bool IsTooDeep(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = int.MaxValue });
        var deepest = 0;
        try
        {
            while (reader.Read())
            {
                deepest = Math.Max(deepest, reader.CurrentDepth);
            }
        }
        catch (JsonException)
        {
            return false;
        }

        return deepest >= MaxValueDepth;
    }

    /// <summary>Writes one JSON value as JavaScript would after reading it.</summary>
    public static void WriteCanonical(ReadOnlySpan<byte> json, IBufferWriter<byte> output, int maxDepth = MaxLineDepth)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = maxDepth });
        reader.Read();
        WriteCanonical(ref reader, output);
        reader.Read();
    }

    private static void WriteCanonical(ref Utf8JsonReader reader, IBufferWriter<byte> output)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                WriteString(ReadString(ref reader), output);
                break;
            case JsonTokenType.Number:
                WriteNumber(reader.GetDouble(), output);
                break;
            case JsonTokenType.StartArray:
                WriteArray(ref reader, output);
                break;
            case JsonTokenType.StartObject:
                WriteObject(ref reader, output);
                break;
            default:
                output.Write(reader.ValueSpan);
                break;
        }
    }

    private static void WriteArray(ref Utf8JsonReader reader, IBufferWriter<byte> output)
    {
        output.Write("["u8);
        for (var first = true; reader.Read() && reader.TokenType != JsonTokenType.EndArray; first = false)
        {
            output.Write(first ? [] : ","u8);
            WriteCanonical(ref reader, output);
        }

        output.Write("]"u8);
    }

    private static void WriteObject(ref Utf8JsonReader reader, IBufferWriter<byte> output)
    {
        var indices = new SortedDictionary<uint, byte[]>();
        var names = new List<string>();
        var values = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = ReadString(ref reader);
            reader.Read();
            var value = new ArrayBufferWriter<byte>();
            WriteCanonical(ref reader, value);
            if (TryGetArrayIndex(name, out var index))
            {
                indices[index] = value.WrittenSpan.ToArray();
                continue;
            }

            if (!values.ContainsKey(name))
            {
                names.Add(name);
            }

            values[name] = value.WrittenSpan.ToArray();
        }

        var first = true;
        output.Write("{"u8);
        foreach (var (index, value) in indices)
        {
            WriteMember(index.ToString(CultureInfo.InvariantCulture), value, output, ref first);
        }

        foreach (var name in names)
        {
            WriteMember(name, values[name], output, ref first);
        }

        output.Write("}"u8);
    }

    private static void WriteMember(string name, byte[] value, IBufferWriter<byte> output, ref bool first)
    {
        output.Write(first ? [] : ","u8);
        first = false;
        WriteString(name, output);
        output.Write(":"u8);
        output.Write(value);
    }

    // ECMA-262: an array index is a canonical decimal number below 2^32 - 1.
    private static bool TryGetArrayIndex(string name, out uint index) =>
        uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out index)
        && index != uint.MaxValue
        && (name.Length == 1 || name[0] != '0');

    /// <summary>Writes a string with its quotes. Unpaired surrogates are written as escapes.</summary>
    public static void WriteString(ReadOnlySpan<char> value, IBufferWriter<byte> output)
    {
        output.Write("\""u8);
        while (!value.IsEmpty)
        {
            var plain = PlainLength(value);
            if (plain > 0)
            {
                var span = output.GetSpan(Encoding.UTF8.GetMaxByteCount(plain));
                output.Advance(Encoding.UTF8.GetBytes(value[..plain], span));
                value = value[plain..];
                continue;
            }

            var escape = value[0] switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\b' => "\\b",
                '\f' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                var other => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)other:x4}"),
            };
            output.Advance(Encoding.ASCII.GetBytes(escape, output.GetSpan(escape.Length)));
            value = value[1..];
        }

        output.Write("\""u8);
    }

    private static int PlainLength(ReadOnlySpan<char> value)
    {
        var i = 0;
        while (i < value.Length)
        {
            var c = value[i];
            if (c is < ' ' or '"' or '\\')
            {
                break;
            }

            if (!char.IsSurrogate(c))
            {
                i++;
            }
            else if (char.IsHighSurrogate(c) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
            {
                i += 2;
            }
            else
            {
                break;
            }
        }

        return i;
    }

    /// <summary>The text of the string or property name that the reader stands on.</summary>
    public static string ReadString(ref Utf8JsonReader reader)
    {
        var raw = reader.ValueSpan;
        if (!reader.ValueIsEscaped)
        {
            return Encoding.UTF8.GetString(raw);
        }

        var text = new StringBuilder(raw.Length);
        while (!raw.IsEmpty)
        {
            var backslash = raw.IndexOf((byte)'\\');
            if (backslash != 0)
            {
                var plain = backslash < 0 ? raw.Length : backslash;
                text.Append(Encoding.UTF8.GetString(raw[..plain]));
                raw = raw[plain..];
                continue;
            }

            if (raw[1] == 'u')
            {
                text.Append((char)ushort.Parse(raw.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                raw = raw[6..];
                continue;
            }

            text.Append((char)raw[1] switch { 'b' => '\b', 'f' => '\f', 'n' => '\n', 'r' => '\r', 't' => '\t', var same => same });
            raw = raw[2..];
        }

        return text.ToString();
    }

    /// <summary>The text of the key or event name that the reader stands on; as in JavaScript a number, a boolean and null are names as well, by their text.</summary>
    public static string ReadName(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return ReadString(ref reader);
        }

        if (reader.TokenType != JsonTokenType.Number)
        {
            return Encoding.ASCII.GetString(reader.ValueSpan);
        }

        var value = reader.GetDouble();
        if (double.IsInfinity(value))
        {
            return value > 0 ? "Infinity" : "-Infinity";
        }

        var text = new ArrayBufferWriter<byte>(32);
        WriteNumber(value, text);
        return Encoding.ASCII.GetString(text.WrittenSpan);
    }

    /// <summary>Whether the reader stands on what may be a key or an event name: not an array or object, which JavaScript would make a text of as well, nor what would be <c>__proto__</c> there.</summary>
    public static bool IsName(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null => true,
        JsonTokenType.String => reader.ValueIsEscaped ? ReadString(ref reader) != ForbiddenName : !reader.ValueTextEquals(ForbiddenName),
        _ => false,
    };

    /// <summary>Writes a number as JavaScript does; what no double holds becomes null, as there.</summary>
    public static void WriteNumber(double value, IBufferWriter<byte> output) => output.Advance(FormatNumber(value, output.GetSpan(32)));

    /// <summary>As <see cref="WriteNumber"/>, into at least 32 bytes; the result is how many it took.</summary>
    public static int FormatNumber(double value, Span<byte> output)
    {
        if (GossipNumbers.TryWrite(value, output, out var written))
        {
            return written;
        }

        if (Math.Abs(value) is >= 1e-4 and < 1e15)
        {
            value.TryFormat(output, out written, default, CultureInfo.InvariantCulture);
            return written;
        }

        return Encoding.ASCII.GetBytes(FormatRare(value), output);
    }

    private static string FormatRare(double value)
    {
        if (value == 0)
        {
            return "0";
        }

        if (!double.IsFinite(value))
        {
            return "null";
        }

        // The framework's shortest round-trip digits are JavaScript's; only their layout differs.
        var shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        var mark = shortest.IndexOf('E', StringComparison.Ordinal);
        var exponent = mark < 0 ? 0 : int.Parse(shortest.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var mantissa = mark < 0 ? shortest : shortest[..mark];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var position = (point < 0 ? mantissa.Length : point) + exponent;
        var padded = mantissa.Replace(".", string.Empty, StringComparison.Ordinal);
        var digits = padded.TrimStart('0');
        position -= padded.Length - digits.Length;
        digits = digits.TrimEnd('0');

        var sign = value < 0 ? "-" : string.Empty;
        if (position is > 0 and <= 21)
        {
            return sign + (digits.Length <= position ? digits.PadRight(position, '0') : digits[..position] + "." + digits[position..]);
        }

        if (position is > -6 and <= 0)
        {
            return sign + "0." + new string('0', -position) + digits;
        }

        var power = position - 1;
        var tail = digits.Length > 1 ? "." + digits[1..] : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"{sign}{digits[0]}{tail}e{(power < 0 ? "-" : "+")}{Math.Abs(power)}");
    }
}
