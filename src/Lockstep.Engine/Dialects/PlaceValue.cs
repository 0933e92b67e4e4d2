using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>What was found at a place: a JSON value, which may refer to a buffer that is reused, or a text.</summary>
internal readonly struct PlaceValue
{
    private readonly string? _text;

    public PlaceValue(string text) => _text = text;

    /// <param name="json">The value as written, quotes included.</param>
    /// <param name="kind">Its kind.</param>
    public PlaceValue(ReadOnlyMemory<byte> json, JsonKind kind) => (Json, Kind) = (json, kind);

    public PlaceValue(JsonElement json)
        : this(JsonMarshal.GetRawUtf8Value(json).ToArray(), KindOf(json.ValueKind)) { }

    /// <summary>A value that was found in bytes.</summary>
    public static PlaceValue Of(JsonSlice slice, ReadOnlyMemory<byte> bytes)
    {
        var quote = slice.Kind == JsonKind.String ? 1 : 0;
        return new PlaceValue(bytes.Slice(slice.Start - quote, slice.Length + (2 * quote)), slice.Kind);
    }

    /// <summary>The kind of the JSON value; none for a text.</summary>
    public JsonKind Kind { get; }

    /// <summary>The JSON value as written.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>Whether it is neither null nor false.</summary>
    public bool IsTrue => Kind is not (JsonKind.Null or JsonKind.False);

    /// <summary>Whether <see cref="Text"/> is not null.</summary>
    public bool HasText =>
        Kind is JsonKind.None ? !string.IsNullOrEmpty(_text) : Kind != JsonKind.Null && !Json.Span.SequenceEqual("\"\""u8);

    /// <summary>The value for use in a request: a string's text, otherwise the JSON; null for null and for an empty text.</summary>
    /// <exception cref="InvalidOperationException">It holds half a surrogate pair.</exception>
    public string? Text => HasText ? _text ?? (Kind == JsonKind.String ? Decode() : Encoding.UTF8.GetString(Json.Span)) : null;

    /// <inheritdoc/>
    public override string ToString() => Text ?? "";

    private string Decode()
    {
        var inner = Json.Span[1..^1];
        if (!inner.Contains((byte)'\\'))
            return Encoding.UTF8.GetString(inner);
        var reader = new Utf8JsonReader(Json.Span);
        reader.Read();
        return reader.GetString()!;
    }

    private static JsonKind KindOf(JsonValueKind kind) =>
        kind switch
        {
            JsonValueKind.String => JsonKind.String,
            JsonValueKind.Number => JsonKind.Number,
            JsonValueKind.True => JsonKind.True,
            JsonValueKind.False => JsonKind.False,
            JsonValueKind.Null => JsonKind.Null,
            JsonValueKind.Object => JsonKind.Object,
            JsonValueKind.Array => JsonKind.Array,
            _ => JsonKind.None,
        };
}

/// <summary>A value to compare with, from a condition. Immutable.</summary>
internal sealed class WantedValue
{
    private readonly PlaceValue _value;
    private readonly string? _text;
    private readonly byte[] _bytes = [];
    private readonly bool _isEnd;

    public WantedValue(JsonElement json)
    {
        _value = new PlaceValue(json);
        if (_value.Kind != JsonKind.String)
            return;
        _text = json.GetString()!;
        _isEnd = _text.StartsWith('*');
        _text = _isEnd ? _text[1..] : _text;
        _bytes = Encoding.UTF8.GetBytes(_text);
    }

    /// <summary>Whether a value equals this one, by JSON type; after a <c>*</c>, whether it ends with the rest.</summary>
    public bool Is(in PlaceValue found)
    {
        if (_text is null)
            return found.Kind == _value.Kind && IsSame(found.Json.Span);
        if (found.Kind is not (JsonKind.String or JsonKind.None))
            return false;
        if (found.Kind == JsonKind.String && !found.Json.Span.Contains((byte)'\\'))
            return IsMeant(found.Json.Span[1..^1]);
        var text = found.Text ?? "";
        return _isEnd ? text.EndsWith(_text, StringComparison.Ordinal) : text == _text;
    }

    private bool IsMeant(ReadOnlySpan<byte> text) => _isEnd ? text.EndsWith(_bytes) : text.SequenceEqual(_bytes);

    /// <summary>410 equals 410.0, and the order of fields does not matter.</summary>
    private bool IsSame(ReadOnlySpan<byte> json) =>
        json.SequenceEqual(_value.Json.Span) || JsonElement.DeepEquals(JsonElement.Parse(json), JsonElement.Parse(_value.Json.Span));
}
