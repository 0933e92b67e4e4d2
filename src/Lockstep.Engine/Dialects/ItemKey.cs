using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// The key of an item: its parts, found where the dialect says, in the form in which the table keeps them, which the first item decides.
/// What it yields is valid until the next call. One thread at a time.
/// </summary>
internal sealed class ItemKey
{
    private readonly ArrayBufferWriter<byte> _text = new();
    private readonly KeyReader _reader = new();

    /// <param name="shape">The table's shape, if it has one.</param>
    public ItemKey(RecordShape? shape)
    {
        if ((Shape = shape) is not null)
            _reader.Adopt(shape!);
    }

    /// <summary>The records' shape, once the first one has determined it.</summary>
    public RecordShape? Shape { get; private set; }

    /// <summary>Why there is no key.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Whether a record had nothing where the dialect says that its key is.</summary>
    public bool IsMissing { get; private set; }

    /// <summary>The key, if it is one integer.</summary>
    public long Integer => _reader.Integer;

    /// <summary>The key, if it is encoded; else empty.</summary>
    public ReadOnlySpan<byte> Encoded => Shape!.KeyLayout == KeyLayout.Encoded ? _reader.Encoded : default;

    /// <summary>Reads the key of an item. False when it has none; <see cref="Reason"/> says why.</summary>
    public bool Read(DialectRules rules, ItemPlaces places, JsonElement body, bool isDeleted)
    {
        _text.ResetWrittenCount();
        if (rules.Key.Count == 0)
            return Refuse("the dialect names no key");
        Shape ??= Adopt(
            new RecordShape(
                Dialect.Foreign,
                [.. rules.Key.Select(key => key.Field)],
                [],
                KeyLayout.Integer,
                rules.OrderBy?.Text ?? "",
                OrderKind.Unknown
            )
        );
        _reader.Clear();
        for (var i = 0; i < rules.Key.Count; i++)
        {
            var key = rules.Key[i];
            var value = !key.IsOfItem && key.Place.TryFind(body, out var own) ? new PlaceValue(own) : places.Find(key.Place);
            if (isDeleted && rules.Key.Count == 1)
                value = OfDeletion(rules, places, value);
            // Events without a key of their own are a log, by their ids.
            if (value is null && rules.Key.Count == 1 && places.EventId is { Length: > 0 } id)
                value = new PlaceValue(id);
            if (value is not { Text: { } text } found || found.Json is { ValueKind: not (JsonValueKind.String or JsonValueKind.Number) })
            {
                IsMissing = true;
                return Refuse(WhatIsWrong(key.Place.ToString(), value?.Json, isDeleted ? ", though it is a deletion" : Fields(body)));
            }

            var at = _text.WrittenCount;
            if (found.Json is { } json)
                _text.Write(JsonMarshal.GetRawUtf8Value(json));
            else
                _text.Write(JsonSerializer.SerializeToUtf8Bytes(text, EngineJson.Default.String));
            var raw = _text.WrittenSpan[at..];
            _reader.Note(
                i,
                raw[0] == (byte)'"'
                    ? new JsonSlice(JsonKind.String, at + 1, raw.Length - 2, raw.Contains((byte)'\\'))
                    : new JsonSlice(JsonKind.Number, at, raw.Length, IsEscaped: false)
            );
        }

        return true;
    }

    /// <summary>The key of a deletion, which may have the record's address instead, or under another name (OData 4.0).</summary>
    private PlaceValue? OfDeletion(DialectRules rules, ItemPlaces places, PlaceValue? value)
    {
        foreach (var place in rules.DeletedKey)
            value ??= places.Find(place) is { Text: not null } there ? there : null;
        if (rules.DeletedKey.Count == 0 || value is not { Json: { ValueKind: JsonValueKind.String } json })
            return value;
        var (text, isQuoted) = EntityId.KeyOf(json.GetString()!) ?? (json.GetString()!, true);
        // An address does not distinguish a number from a text: the type of the table's keys does, else the notation.
        var isNumber = Shape!.KeyParts is [var kind] ? kind == KeyPartKind.Number : !isQuoted;
        if (isNumber && EntityId.IsInteger(text))
            return new PlaceValue(JsonElement.Parse(text));
        return new PlaceValue(text);
    }

    private RecordShape Adopt(RecordShape shape)
    {
        _reader.Adopt(shape);
        return shape;
    }

    /// <summary>Brings the key into the table's form, and learns its types from the first one.</summary>
    public bool Settle(OrderKind order)
    {
        if (!_reader.IsSound)
            return Refuse(_reader.WhatDiffers() ?? "it has no key");
        var shape = Shape! with { OrderKind = order };
        if (!_reader.HasKinds)
        {
            shape = shape with
            {
                KeyParts = _reader.LearnKinds(),
                KeyLayout = _reader.TryReadInteger(_text.WrittenSpan) ? KeyLayout.Integer : KeyLayout.Encoded,
            };
        }

        if (shape.KeyLayout == KeyLayout.Integer && !_reader.TryReadInteger(_text.WrittenSpan))
            shape = shape with { KeyLayout = KeyLayout.Encoded };
        if (shape.KeyLayout == KeyLayout.Encoded)
            _reader.Encode(_text.WrittenSpan);
        Shape = shape;
        return true;
    }

    /// <summary>The raw text of one part of the key read last.</summary>
    public ReadOnlySpan<byte> PartText(int index)
    {
        var reader = new Utf8JsonReader(_text.WrittenSpan, new JsonReaderOptions { AllowMultipleValues = true });
        for (var i = 0; i <= index; i++)
            reader.Read();
        return _text.WrittenSpan[(int)reader.TokenStartIndex..(int)reader.BytesConsumed];
    }

    /// <summary>The names of the fields there are, to choose a key from.</summary>
    private static string Fields(JsonElement body)
    {
        var names = body.EnumerateObject().Take(8).Select(field => $"'{field.Name}'").ToList();
        return names.Count == 0 ? "" : "; it has " + string.Join(", ", names);
    }

    private static string WhatIsWrong(string place, JsonElement? found, string rest) =>
        found?.ValueKind switch
        {
            JsonValueKind.String => $"its key '{place}' is empty",
            JsonValueKind.Null => $"its key '{place}' is null",
            JsonValueKind.Object => $"its key '{place}' is an object, not a string or number",
            JsonValueKind.Array => $"its key '{place}' is an array, not a string or number",
            JsonValueKind.True or JsonValueKind.False => $"its key '{place}' is a truth value, not a string or number",
            _ => $"it has no string or number '{place}', its key{rest}",
        };

    private bool Refuse(string reason)
    {
        Reason = reason;
        return false;
    }
}
