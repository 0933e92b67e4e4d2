using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>
/// One comparison of a filter. Numbers compare exactly, strings by the order of their code points; values of different types are unequal
/// and in no order, and a missing member is null. Immutable.
/// </summary>
internal sealed class FeedCondition
{
    private static readonly string[] Operators = ["!=", "<=", ">=", "=", "<", ">"];
    private static readonly SearchValues<char> NotInNames = SearchValues.Create(" \t\r\n\"'");
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly byte[] _utf8Name;
    private readonly string _operator;
    private readonly JsonTokenType _type;
    private readonly byte[] _value;

    private FeedCondition(string name, string @operator, JsonTokenType type, byte[] value)
    {
        Name = name;
        _utf8Name = Strict.GetBytes(name);
        _operator = @operator;
        _type = type;
        _value = value;
    }

    /// <summary>The member that is compared.</summary>
    public string Name { get; }

    /// <summary>
    /// Parses a name, an operator and a value. The name is in double quotes if it contains white space, quotes or <c>= &lt; &gt; !</c>. The
    /// value is a JSON number, string, true, false or null, or text that no condition language could read differently: without those
    /// characters and without the words and, or.
    /// </summary>
    /// <exception cref="FeedFilterException">It is something else.</exception>
    public static FeedCondition Parse(string text)
    {
        try
        {
            var bytes = Strict.GetBytes(text);
            var (name, length) = ReadName(bytes);
            var rest = Strict.GetString(bytes.AsSpan(length)).TrimStart();
            var @operator =
                Array.Find(Operators, o => rest.StartsWith(o, StringComparison.Ordinal))
                ?? throw new FeedFilterException($"'{text}' is not a comparison.");
            var value = rest[@operator.Length..].Trim();
            var (type, found) = ReadJson(value) ?? (JsonTokenType.String, Strict.GetBytes(RequirePlain(text, value)));
            if (@operator is not ("=" or "!=") && type is not (JsonTokenType.Number or JsonTokenType.String))
                throw new FeedFilterException($"'{text}': only numbers and strings have an order.");
            return new FeedCondition(name, @operator, type, found);
        }
        catch (Exception e) when (e is EncoderFallbackException or JsonException or InvalidOperationException)
        {
            throw new FeedFilterException("A condition is not valid Unicode, or has a name with unclosed quotes.");
        }
    }

    /// <summary>One of <c>= != &lt; &lt;= &gt; &gt;=</c>.</summary>
    public string Operator => _operator;

    /// <summary>The type of the value that is compared with.</summary>
    public JsonTokenType Type => _type;

    /// <summary>That value: a number as written, a string without its quotes, <c>true</c>, <c>false</c> or <c>null</c>.</summary>
    public ReadOnlyMemory<byte> Value => _value;

    /// <summary>Whether it holds for a row without such a member.</summary>
    public bool HoldsForNone => _operator == "!=" ? _type != JsonTokenType.Null : _operator == "=" && _type == JsonTokenType.Null;

    /// <summary>Whether it is a member's value that is compared.</summary>
    /// <param name="name">A reader at the member's name.</param>
    public bool IsOf(ref Utf8JsonReader name) => name.ValueTextEquals(_utf8Name);

    /// <summary>Whether it holds for the member's value.</summary>
    /// <param name="value">A reader at the value, where it stays.</param>
    public bool Holds(ref Utf8JsonReader value)
    {
        if (value.TokenType != _type || (_type == JsonTokenType.String && !IsUnicode(ref value)))
            return _operator == "!=";
        var order = _type switch
        {
            JsonTokenType.Number => DecimalText.Compare(value.ValueSpan, _value),
            JsonTokenType.String => CompareText(ref value),
            _ => 0,
        };
        return _operator switch
        {
            "=" => order == 0,
            "!=" => order != 0,
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            _ => order >= 0,
        };
    }

    public override string ToString() => $"{Name} {_operator} {_type} {Encoding.UTF8.GetString(_value)}";

    /// <summary>Whether a string has no half surrogate pair: a text with one cannot be expressed by a condition.</summary>
    private static bool IsUnicode(ref Utf8JsonReader value)
    {
        if (!value.ValueIsEscaped)
            return true;
        try
        {
            _ = value.GetString();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private int CompareText(ref Utf8JsonReader value)
    {
        if (!value.ValueIsEscaped)
            return value.ValueSpan.SequenceCompareTo(_value);
        var unescaped = new byte[value.ValueSpan.Length];
        var length = value.CopyString(unescaped);
        return unescaped.AsSpan(0, length).SequenceCompareTo(_value);
    }

    /// <summary>The name, and how many bytes it takes with the white space around it.</summary>
    private static (string Name, int Length) ReadName(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("\""u8))
        {
            var json = new Utf8JsonReader(text, isFinalBlock: false, default);
            return json.Read() ? (json.GetString()!, (int)json.BytesConsumed) : throw new JsonException();
        }

        var length = text.IndexOfAny("=<>!"u8);
        var name = Encoding.UTF8.GetString(length < 0 ? text : text[..length]).Trim();
        return name.Length > 0 && !name.AsSpan().ContainsAny(NotInNames) && length > 0
            ? (name, length)
            : throw new FeedFilterException($"'{Encoding.UTF8.GetString(text)}' is not a comparison of a column.");
    }

    /// <summary>A number, string, true, false or null; null for anything else.</summary>
    private static (JsonTokenType Type, byte[] Value)? ReadJson(string text)
    {
        try
        {
            var json = new Utf8JsonReader(Strict.GetBytes(text));
            if (!json.Read() || json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                return null;
            var (type, value) = (
                json.TokenType,
                json.TokenType == JsonTokenType.String ? Strict.GetBytes(json.GetString()!) : json.ValueSpan.ToArray()
            );
            return json.Read() ? null : (type, value);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Unquoted text that cannot be read differently.</summary>
    private static string RequirePlain(string condition, string value)
    {
        var words = value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var isOdd =
            value.AsSpan().ContainsAny("=<>!")
            || (value.Length > 0 && "\"'{[".Contains(value[0], StringComparison.Ordinal))
            || words.Any(word => word.ToUpperInvariant() is "AND" or "OR")
            || value.ToUpperInvariant() is "TRUE" or "FALSE" or "NULL";
        return isOdd
            ? throw new FeedFilterException(
                $"'{condition}' is not a single comparison with a number, true, false, null or plain text. "
                    + "Put text with quotes, operators or the words and, or in double quotes; give one where for each condition."
            )
            : value;
    }
}
