using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Gossip.Json;

/// <summary>
/// JSON text as JavaScript's JSON.stringify writes it, which is what signatures cover: no white space, integer-like keys first and
/// ascending, the last of equal keys wins, numbers and strings by <see cref="JavaScriptNumber"/> and <see cref="JavaScriptString"/>.
/// </summary>
internal static class GossipJson
{
    public const string ForbiddenName = "__proto__";

    /// <summary>How deep a line may be nested.</summary>
    private const int MaxLineDepth = 512;

    /// <summary>
    /// How deep a value written here may be nested: it is wrapped in a change, and that in an update, and peers and the node's own file
    /// must accept the line.
    /// </summary>
    public const int MaxValueDepth = MaxLineDepth - 2;

    public static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxLineDepth };
    private static readonly JsonReaderOptions ValueOptions = new() { MaxDepth = MaxValueDepth };

    /// <summary>
    /// Copies a JSON value without the white space between tokens, so that it fits on a line; everything else is unchanged.
    /// </summary>
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
    private static int TokenEnd(in Utf8JsonReader reader) =>
        reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String
            ? (int)reader.TokenStartIndex + reader.ValueSpan.Length + 2
            : (int)reader.BytesConsumed;

    /// <summary>Whether a JSON value's only fault is its depth.</summary>
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

    /// <summary>Writes a JSON value as JavaScript would after reading it.</summary>
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
                JavaScriptString.Write(JsonText.Decode(ref reader), output);
                break;
            case JsonTokenType.Number:
                JavaScriptNumber.Write(reader.GetDouble(), output);
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
            var name = JsonText.Decode(ref reader);
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
        JavaScriptString.Write(name, output);
        output.Write(":"u8);
        output.Write(value);
    }

    // ECMA-262: an array index is a canonical decimal number below 2^32 - 1.
    private static bool TryGetArrayIndex(string name, out uint index)
    {
        var isIndex = WholeNumber.TryParse(name, out var number) && number < uint.MaxValue && (name.Length == 1 || name[0] != '0');
        index = isIndex ? (uint)number : 0;
        return isIndex;
    }

    /// <summary>
    /// The text of the key or event name at the reader's position, converted the way JavaScript's <c>String</c> converts any value: an
    /// array's elements separated by commas, <c>[object Object]</c> for an object. The reader moves to the value's end.
    /// </summary>
    public static string ReadName(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return JsonText.Decode(ref reader);
        }

        if (reader.TokenType == JsonTokenType.StartArray)
        {
            return ReadElements(ref reader);
        }

        if (reader.TokenType == JsonTokenType.StartObject)
        {
            reader.Skip();
            return "[object Object]";
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
        JavaScriptNumber.Write(value, text);
        return Encoding.ASCII.GetString(text.WrittenSpan);
    }

    // JavaScript converts a nested array the same way; null in an array becomes empty.
    private static string ReadElements(ref Utf8JsonReader reader)
    {
        var text = new StringBuilder();
        for (var first = true; reader.Read() && reader.TokenType != JsonTokenType.EndArray; first = false)
        {
            text.Append(first ? "" : ",");
            text.Append(reader.TokenType == JsonTokenType.Null ? "" : ReadName(ref reader));
        }

        return text.ToString();
    }

    /// <summary>
    /// Whether the reader is at something that may be a key or an event name: anything but what would become <c>__proto__</c>.
    /// </summary>
    public static bool IsName(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return reader.ValueIsEscaped ? JsonText.Decode(ref reader) != ForbiddenName : !reader.ValueTextEquals(ForbiddenName);
            case JsonTokenType.StartArray:
                var ahead = reader;
                return ReadName(ref ahead) != ForbiddenName;
            default:
                return true;
        }
    }

    /// <summary>Whether the text can be written as UTF-8.</summary>
    public static bool IsWellFormed(string text)
    {
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var used) != OperationStatus.Done)
            {
                return false;
            }

            rest = rest[used..];
        }

        return true;
    }

    /// <summary>Whether any text in it has half a surrogate pair, which JavaScript's strings may have and UTF-8 cannot.</summary>
    public static bool HasUnpairedSurrogate(ReadOnlySpan<byte> json)
    {
        if (json.IndexOf("\\u"u8) < 0)
        {
            return false;
        }

        var reader = new Utf8JsonReader(json, ReaderOptions);
        while (reader.Read())
        {
            if (
                reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName
                && reader.ValueIsEscaped
                && !IsWellFormed(JsonText.Decode(ref reader))
            )
            {
                return true;
            }
        }

        return false;
    }
}
