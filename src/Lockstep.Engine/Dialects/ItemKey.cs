using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// An item's key: its parts, found where the dialect says, in the form in which the table keeps them, which the first item decides. Results
/// are valid until the next call. One thread at a time.
/// </summary>
internal sealed class ItemKey
{
    private readonly ArrayBufferWriter<byte> _text = new();
    private readonly KeyReader _reader = new();
    private readonly List<Range> _parts = [];

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

    /// <summary>Whether a record had no value where the dialect says its key is.</summary>
    public bool IsMissing { get; private set; }

    /// <summary>Whether the dialect does not say where the key is.</summary>
    public bool IsUnnamed { get; private set; }

    /// <summary>The key, if it is a single integer.</summary>
    public long Integer => _reader.Integer;

    /// <summary>The encoded key; empty if it is an integer.</summary>
    public ReadOnlySpan<byte> Encoded => Shape!.KeyLayout == KeyLayout.Encoded ? _reader.Encoded : default;

    /// <summary>The key that somebody chose and an event lacked, so that its id was taken; null if there was none.</summary>
    public string? MissingInEvent { get; private set; }

    /// <summary>Reads the key of an item. False when it has none; <see cref="Reason"/> says why.</summary>
    public bool Read(DialectRules rules, ItemPlaces places, JsonItem body, bool isDeleted)
    {
        if (!Begin(rules))
            return false;
        for (var i = 0; i < rules.Key.Count; i++)
        {
            var key = rules.Key[i];
            var value = (key.IsOfItem ? null : body.Find(key.Place)) ?? places.Find(key.Place);
            if (isDeleted && rules.Key.Count == 1)
                value = OfAddress(rules, places, value, i);
            // Events without a key of their own are a log, by their ids.
            if (value is null && rules.Key.Count == 1 && places.Origin.EventId is { Length: > 0 } id)
            {
                if (key.Field != WireNames.DefaultKeyField)
                    MissingInEvent ??= key.Field;
                value = new PlaceValue(id);
            }

            if (!Take(i, key, value, body, isDeleted))
                return false;
        }

        return true;
    }

    /// <summary>Reads the key of a parent's child: the parent's part, then its own. As <see cref="Read"/>.</summary>
    public bool ReadChild(DialectRules rules, ItemPlaces parent, ItemPlaces child, bool isDeleted)
    {
        if (!Begin(rules) || !TakeParent(rules, parent, isDeleted: false))
            return false;
        for (var i = rules.ParentParts; i < rules.Key.Count; i++)
        {
            var value = child.Item.Find(rules.Key[i].Place);
            // A link to a record may have nothing but its address.
            if ((isDeleted || value is null) && rules.Key.Count == rules.ParentParts + 1)
                value = OfAddress(rules, child, value, i);
            if (!Take(i, rules.Key[i], value, child.Item, isDeleted))
                return false;
        }

        return true;
    }

    /// <summary>Reads the part of its children's keys that a parent gives them. As <see cref="Read"/>.</summary>
    public bool ReadParent(DialectRules rules, ItemPlaces parent, bool isDeleted) => Begin(rules) && TakeParent(rules, parent, isDeleted);

    /// <summary>
    /// Brings a parent's part of the keys into the table's form: all keys that begin with it are of its children. False if it can have none
    /// in the table.
    /// </summary>
    public bool SettleParent(int parts) => _reader.TryEncode(_text.WrittenSpan, parts);

    private bool Begin(DialectRules rules)
    {
        _text.ResetWrittenCount();
        _parts.Clear();
        IsUnnamed = rules.Key.Count == 0;
        if (IsUnnamed)
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
        return true;
    }

    private bool TakeParent(DialectRules rules, ItemPlaces parent, bool isDeleted)
    {
        for (var i = 0; i < rules.ParentParts; i++)
        {
            var value = parent.Find(rules.Key[i].Place);
            if (isDeleted && rules.ParentParts == 1)
                value = OfAddress(rules, parent, value, i);
            if (!Take(i, rules.Key[i], value, parent.Item, isDeleted))
                return false;
        }

        return true;
    }

    private bool Take(int part, KeyRule key, PlaceValue? value, JsonItem body, bool isDeleted)
    {
        if (value is not { HasText: true, Kind: JsonKind.None or JsonKind.String or JsonKind.Number } found)
        {
            IsMissing = true;
            return Refuse(WhatIsWrong(key.Place.ToString(), value?.Kind, isDeleted ? ", though it is a deletion" : Fields(body)));
        }

        Note(part, found);
        return true;
    }

    private void Note(int part, in PlaceValue value)
    {
        var at = _text.WrittenCount;
        if (value.Kind == JsonKind.None)
            _text.Write(JsonSerializer.SerializeToUtf8Bytes(value.Text!, EngineJson.Default.String));
        else
            _text.Write(value.Json.Span);
        var raw = _text.WrittenSpan[at..];
        _parts.Add(at.._text.WrittenCount);
        _reader.Note(
            part,
            raw[0] == (byte)'"'
                ? new JsonSlice(JsonKind.String, at + 1, raw.Length - 2, raw.Contains((byte)'\\'))
                : new JsonSlice(JsonKind.Number, at, raw.Length, IsEscaped: false)
        );
    }

    /// <summary>A part of the key where the record's address may stand instead, or under another name (OData 4.0).</summary>
    private PlaceValue? OfAddress(DialectRules rules, ItemPlaces places, PlaceValue? value, int part)
    {
        foreach (var place in rules.DeletedKey)
            value ??= places.Find(place) is { HasText: true } there ? there : null;
        if (rules.DeletedKey.Count == 0 || value is not { Kind: JsonKind.String } json)
            return value;
        var address = json.Text ?? "";
        var (text, isQuoted) = EntityId.KeyOf(address) ?? (address, true);
        // An address does not distinguish a number from a text: the type of the table's keys decides, or else how the key is written.
        var isNumber = part < Shape!.KeyParts.Count ? Shape.KeyParts[part] == KeyPartKind.Number : !isQuoted;
        if (isNumber && EntityId.IsInteger(text))
            return new PlaceValue(Encoding.ASCII.GetBytes(text), JsonKind.Number);
        return new PlaceValue(text);
    }

    private RecordShape Adopt(RecordShape shape)
    {
        _reader.Adopt(shape);
        return shape;
    }

    /// <summary>Converts the key to the table's form, and learns its types from the first one.</summary>
    public bool Settle(OrderKind order)
    {
        if (!_reader.IsSound)
            return Refuse(_reader.WhatDiffers() ?? "it has no key");
        var shape = Shape!.OrderKind == order ? Shape : Shape with { OrderKind = order };
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

    /// <summary>The raw text of one part of the last key read.</summary>
    public ReadOnlySpan<byte> PartText(int index) => _text.WrittenSpan[_parts[index]];

    /// <summary>The names of the item's fields, to choose a key from.</summary>
    private static string Fields(JsonItem body)
    {
        var names = Enumerable.Range(0, Math.Min(8, body.Count)).Select(i => $"'{Encoding.UTF8.GetString(body.Name(i))}'").ToList();
        return names.Count == 0 ? "" : "; it has " + string.Join(", ", names);
    }

    private static string WhatIsWrong(string place, JsonKind? found, string rest) =>
        found switch
        {
            JsonKind.String => $"its key '{place}' is empty",
            JsonKind.Null => $"its key '{place}' is null",
            JsonKind.Object => $"its key '{place}' is an object, not a string or number",
            JsonKind.Array => $"its key '{place}' is an array, not a string or number",
            JsonKind.True or JsonKind.False => $"its key '{place}' is true or false, not a string or number",
            _ => $"it has no string or number '{place}', its key{rest}",
        };

    private bool Refuse(string reason)
    {
        Reason = reason;
        return false;
    }
}
