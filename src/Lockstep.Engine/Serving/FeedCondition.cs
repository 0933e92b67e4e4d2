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
    private readonly byte[] _name;
    private readonly string _operator;
    private readonly JsonTokenType _type;
    private readonly byte[] _value;

    private FeedCondition(string name, string @operator, JsonTokenType type, byte[] value)
    {
        _name = Encoding.UTF8.GetBytes(name);
        _operator = @operator;
        _type = type;
        _value = value;
    }

    /// <summary>
    /// Reads <c>name</c>, operator and value: a JSON number, true, false, null or a string in double quotes; anything else is a string as
    /// it stands.
    /// </summary>
    /// <exception cref="FeedFilterException">There is no operator or no name.</exception>
    public static FeedCondition Parse(string text)
    {
        var at = text.AsSpan().IndexOfAny("=<>!");
        var @operator = at > 0 ? Array.Find(Operators, o => text.AsSpan(at).StartsWith(o, StringComparison.Ordinal)) : null;
        if (@operator is null)
            throw new FeedFilterException($"'{text}' is no comparison.");
        var (type, value) = ParseValue(text[(at + @operator.Length)..]);
        if (@operator is not ("=" or "!=") && type is not (JsonTokenType.Number or JsonTokenType.String))
            throw new FeedFilterException($"'{text}': only numbers and strings have an order.");
        return new FeedCondition(text[..at].Trim(), @operator, type, value);
    }

    /// <summary>Whether it holds for a row's <c>data</c>.</summary>
    public bool Holds(ReadOnlySpan<byte> data)
    {
        var json = new Utf8JsonReader(data);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var found = json.ValueTextEquals(_name);
            json.Read();
            if (found)
                return Holds(ref json);
            json.Skip();
        }

        return _operator == "!=" ? _type != JsonTokenType.Null : _operator == "=" && _type == JsonTokenType.Null;
    }

    public override string ToString() => $"{Encoding.UTF8.GetString(_name)} {_operator} {_type} {Encoding.UTF8.GetString(_value)}";

    private bool Holds(ref Utf8JsonReader value)
    {
        if (value.TokenType != _type)
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

    private int CompareText(ref Utf8JsonReader value)
    {
        if (!value.ValueIsEscaped)
            return value.ValueSpan.SequenceCompareTo(_value);
        var unescaped = new byte[value.ValueSpan.Length];
        var length = value.CopyString(unescaped);
        return unescaped.AsSpan(0, length).SequenceCompareTo(_value);
    }

    private static (JsonTokenType Type, byte[] Value) ParseValue(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        try
        {
            var json = new Utf8JsonReader(bytes);
            if (json.Read() && json.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
            {
                var (type, value) = (
                    json.TokenType,
                    json.TokenType == JsonTokenType.String ? Encoding.UTF8.GetBytes(json.GetString()!) : json.ValueSpan.ToArray()
                );
                if (!json.Read())
                    return (type, value);
            }
        }
        catch (JsonException)
        {
            // No JSON: a string as it stands.
        }

        return (JsonTokenType.String, bytes);
    }
}
