using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>What an item is.</summary>
internal enum ItemKind
{
    Record,

    /// <summary>Nothing that belongs into the table.</summary>
    Nothing,

    /// <summary>A sign of life.</summary>
    Heartbeat,

    /// <summary>Something that the dialect does not know.</summary>
    Unknown,

    /// <summary>All that there is has come.</summary>
    UpToDate,

    /// <summary>The feed cannot go on from the cursor.</summary>
    Resync,

    /// <summary>No record, though it should be one.</summary>
    Malformed,
}

/// <summary>
/// Makes a record of an item, as the dialect says: where in it the record is, its key, its order and its sign of deletion. What it yields
/// is valid until the next call. One thread at a time.
/// </summary>
internal sealed class ItemReader
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = RecordParser.MaximumDepth };

    private readonly ArrayBufferWriter<byte> _keyText = new();
    private readonly ArrayBufferWriter<byte> _body = new();
    private readonly KeyReader _key = new();

    /// <param name="shape">The table's shape, if it has one.</param>
    /// <param name="fields">The names of the records' fields that the table knows.</param>
    public ItemReader(RecordShape? shape, IEnumerable<string> fields)
    {
        Fields = new FieldCatalog(fields);
        if ((Shape = shape) is not null)
            _key.Adopt(shape!);
    }

    /// <summary>The records' shape, once the first one told it.</summary>
    public RecordShape? Shape { get; private set; }

    public FieldCatalog Fields { get; }

    /// <summary>Why the item is malformed.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>The item's cursor; null where it names none.</summary>
    public PlaceValue? Cursor { get; private set; }

    /// <summary>What the item says of the next page, for parameters that are places of the last item.</summary>
    public Dictionary<string, string> NextValues { get; } = [];

    /// <summary>A field that was left out; null when none has been so far.</summary>
    public string? Dropped { get; private set; }

    /// <summary>Reads an item.</summary>
    /// <param name="rules">How.</param>
    /// <param name="item">Its bytes.</param>
    /// <param name="signs">Whether it may be a sign instead of a record.</param>
    /// <param name="origin">The event that brought it, or the list that it is of.</param>
    /// <param name="record">The record, when it is one; valid until the next call.</param>
    public ItemKind Read(DialectRules rules, ReadOnlyMemory<byte> item, bool signs, ItemOrigin origin, out RoutedRecord record)
    {
        record = default;
        Cursor = null;
        if (!Utf8.IsValid(item.Span))
            return Malformed("it is not valid UTF-8");
        try
        {
            using var document = JsonDocument.Parse(item, Options);
            var places = new ItemPlaces(document.RootElement, origin);
            foreach (var place in rules.Cursor)
            {
                if ((place.IsOfItems || place.Kind == PlaceKind.EventId) && places.Find(place) is { Text: not null } cursor)
                {
                    Cursor = cursor.Json is { } json ? new PlaceValue(json.Clone()) : cursor;
                    break;
                }
            }

            foreach ((var name, var place) in rules.NextParameters)
            {
                if (place.IsOfItems && places.Find(place) is { Text: { } text })
                    NextValues[name] = text;
            }

            if (signs && Sign(rules, places) is { } sign)
                return sign;
            if (rules.Skip?.Holds(places) == true)
                return ItemKind.Nothing;
            if (rules.Only?.Holds(places) == false)
                return ItemKind.Unknown;
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return Malformed("it is no JSON object");
            return Route(rules, places, origin, ref record);
        }
        catch (JsonException e)
        {
            return Malformed("it is not valid JSON: " + e.Message.TrimEnd('.'));
        }
        catch (InvalidOperationException)
        {
            return Malformed("a field's name or its key is a string that is not valid Unicode");
        }
    }

    private static ItemKind? Sign(DialectRules rules, ItemPlaces places) =>
        rules.Resync?.Holds(places) == true ? ItemKind.Resync
        : rules.UpToDate?.Holds(places) == true ? ItemKind.UpToDate
        : rules.Heartbeat?.Holds(places) == true ? ItemKind.Heartbeat
        : null;

    private ItemKind Route(DialectRules rules, ItemPlaces places, ItemOrigin origin, ref RoutedRecord record)
    {
        var isDeleted = rules.Deleted?.Holds(places) == true;
        var body = places.Item;
        if (rules.Record is { } place && place.TryFind(places.Item, out var found))
        {
            if (found.ValueKind == JsonValueKind.Object)
                body = found;
            else if (!isDeleted)
                return found.ValueKind == JsonValueKind.Null ? ItemKind.Nothing : Malformed($"its '{place}' is no JSON object");
        }

        if (!ReadKey(rules, places, body, isDeleted))
            return ItemKind.Malformed;
        var order = OrderKind.Arrival;
        var orderValue = 0L;
        ReadOnlySpan<byte> orderText = default;
        if (rules.OrderBy is { } by)
        {
            order = OrderKind.Number;
            if (!by.TryFind(body, out var value) || !TryReadOrder(value, rules.Zone, out orderValue, out orderText))
                return Malformed($"it has no number or time '{by}', its order field");
        }

        if (!Settle(rules, order))
            return ItemKind.Malformed;
        var json = Body(rules, body, isDeleted ? default : origin.List);
        record = new RoutedRecord
        {
            KeyLayout = Shape!.KeyLayout,
            IntegerKey = _key.Integer,
            EncodedKey = Shape.KeyLayout == KeyLayout.Encoded ? _key.Encoded : default,
            OrderKind = order,
            OrderIsText = !orderText.IsEmpty,
            IntegerOrder = orderValue,
            OrderText = orderText,
            IsDeleted = isDeleted,
            IsPatch = rules.Merges && !isDeleted,
            Json = json,
        };
        return ItemKind.Record;
    }

    private bool ReadKey(DialectRules rules, ItemPlaces places, JsonElement body, bool isDeleted)
    {
        _keyText.ResetWrittenCount();
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
        _key.Clear();
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
                return Refuse($"it has no string or number '{key.Place}', its key{(isDeleted ? ", though it is a deletion" : "")}");
            var at = _keyText.WrittenCount;
            if (found.Json is { } json)
                _keyText.Write(JsonMarshal.GetRawUtf8Value(json));
            else
                _keyText.Write(JsonSerializer.SerializeToUtf8Bytes(text, EngineJson.Default.String));
            var raw = _keyText.WrittenSpan[at..];
            _key.Note(
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
        // An address does not tell a number from a text: what the table's keys are does, else how it is written.
        var isNumber = Shape!.KeyParts is [var kind] ? kind == KeyPartKind.Number : !isQuoted;
        if (isNumber && EntityId.IsInteger(text))
            return new PlaceValue(JsonElement.Parse(text));
        return new PlaceValue(text);
    }

    private RecordShape Adopt(RecordShape shape)
    {
        _key.Adopt(shape);
        return shape;
    }

    /// <summary>Brings the key into the table's form, and learns its types from the first one.</summary>
    private bool Settle(DialectRules rules, OrderKind order)
    {
        if (!_key.IsSound)
            return Refuse(_key.WhatDiffers() ?? "it has no key");
        var shape = Shape! with { OrderKind = order };
        if (!_key.HasKinds)
        {
            shape = shape with
            {
                KeyParts = _key.LearnKinds(),
                KeyLayout = _key.TryReadInteger(_keyText.WrittenSpan) ? KeyLayout.Integer : KeyLayout.Encoded,
            };
        }

        if (shape.KeyLayout == KeyLayout.Integer && !_key.TryReadInteger(_keyText.WrittenSpan))
            shape = shape with { KeyLayout = KeyLayout.Encoded };
        if (shape.KeyLayout == KeyLayout.Encoded)
            _key.Encode(_keyText.WrittenSpan);
        Shape = shape;
        return true;
    }

    /// <summary>The record's bytes: those that came, but for fields that are added or left out.</summary>
    private ReadOnlySpan<byte> Body(DialectRules rules, JsonElement body, JsonElement list)
    {
        Fields.BeginRecord();
        var isWhole = true;
        var lacks = rules.Key.Where(key => Lacks(key, body)).ToList();
        foreach (var field in body.EnumerateObject())
        {
            if (rules.Drop.Count > 0 && Drops(rules, field.Name))
            {
                Dropped ??= field.Name;
                isWhole = false;
                continue;
            }

            Note(field);
        }

        var adds = rules.TypesItems && list.ValueKind == JsonValueKind.Object && !body.TryGetProperty("kind", out _);
        if (isWhole && lacks.Count == 0 && !adds)
            return JsonMarshal.GetRawUtf8Value(body);
        return Rebuild(rules, body, lacks, adds ? list : default);
    }

    private ReadOnlySpan<byte> Rebuild(DialectRules rules, JsonElement body, List<KeyRule> lacks, JsonElement list)
    {
        _body.ResetWrittenCount();
        _body.Write("{"u8);
        if (list.ValueKind == JsonValueKind.Object)
            AddType(list);
        foreach (var key in lacks)
        {
            var slice = rules.Key.ToList().IndexOf(key);
            Separate();
            var name = JsonSerializer.SerializeToUtf8Bytes(key.Field, EngineJson.Default.String);
            Fields.Note(Encoding.UTF8.GetBytes(key.Field));
            _body.Write(name);
            _body.Write(":"u8);
            _body.Write(KeyText(slice));
        }

        foreach (var field in body.EnumerateObject())
        {
            if (rules.Drop.Count > 0 && Drops(rules, field.Name))
                continue;
            Separate();
            _body.Write("\""u8);
            _body.Write(JsonMarshal.GetRawUtf8PropertyName(field));
            _body.Write("\":"u8);
            _body.Write(JsonMarshal.GetRawUtf8Value(field.Value));
        }

        _body.Write("}"u8);
        return _body.WrittenSpan;
    }

    /// <summary>What a list of Kubernetes says of its items, which a watch says of each: the two must be the same record.</summary>
    private void AddType(JsonElement list)
    {
        var kind = list.TryGetProperty("kind", out var found) && found.ValueKind == JsonValueKind.String ? found.GetString()! : "";
        if (kind.EndsWith("List", StringComparison.Ordinal))
            kind = kind[..^4];
        if (kind.Length == 0)
            return;
        Fields.Note("kind"u8);
        _body.Write("\"kind\":"u8);
        _body.Write(JsonSerializer.SerializeToUtf8Bytes(kind, EngineJson.Default.String));
        if (!list.TryGetProperty("apiVersion", out var version))
            return;
        Fields.Note("apiVersion"u8);
        _body.Write(",\"apiVersion\":"u8);
        _body.Write(JsonMarshal.GetRawUtf8Value(version));
    }

    /// <summary>The raw text of one part of the key that was read last.</summary>
    private ReadOnlySpan<byte> KeyText(int index)
    {
        var reader = new Utf8JsonReader(_keyText.WrittenSpan, new JsonReaderOptions { AllowMultipleValues = true });
        for (var i = 0; i <= index; i++)
            reader.Read();
        return _keyText.WrittenSpan[(int)reader.TokenStartIndex..(int)reader.BytesConsumed];
    }

    private void Separate()
    {
        if (_body.WrittenCount > 1)
            _body.Write(","u8);
    }

    private void Note(JsonProperty field)
    {
        var name = JsonMarshal.GetRawUtf8PropertyName(field);
        Fields.Note(name.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(field.Name) : name);
    }

    private static bool Lacks(KeyRule key, JsonElement body) =>
        key.IsOfItem ? !body.TryGetProperty(key.Field, out _) : key.Place.Kind == PlaceKind.Field && !body.TryGetProperty(key.Field, out _);

    private static bool Drops(DialectRules rules, string name)
    {
        foreach (var drop in rules.Drop)
        {
            if (drop.StartsWith('*') ? name.EndsWith(drop[1..], StringComparison.Ordinal) : name == drop)
                return true;
        }

        return false;
    }

    private static bool TryReadOrder(JsonElement value, TimeZoneInfo zone, out long order, out ReadOnlySpan<byte> text)
    {
        order = 0;
        text = default;
        if (value.ValueKind == JsonValueKind.Number)
        {
            var raw = JsonMarshal.GetRawUtf8Value(value);
            if (!DecimalText.TryGetInt64(raw, out order))
                text = raw;
            return true;
        }

        if (value.ValueKind != JsonValueKind.String || TimeText.Parse(value.GetString()!, zone) is not { } time)
            return false;
        order = time.UtcTicks;
        return true;
    }

    private ItemKind Malformed(string reason)
    {
        Reason = reason;
        return ItemKind.Malformed;
    }

    private bool Refuse(string reason)
    {
        Reason = reason;
        return false;
    }
}

/// <summary>Where an item comes from.</summary>
/// <param name="EventType">The type of the event that brought it.</param>
/// <param name="EventId">The id of that event.</param>
/// <param name="List">The document around it, as far as that has come.</param>
internal readonly record struct ItemOrigin(string? EventType, string? EventId, JsonElement List = default);

/// <summary>An item's places.</summary>
internal readonly struct ItemPlaces(JsonElement item, ItemOrigin origin) : IPlaces
{
    public JsonElement Item => item;

    public int Status => 0;

    public string? EventId => origin.EventId;

    public PlaceValue? Find(Place place) =>
        place.Kind switch
        {
            PlaceKind.EventType => origin.EventType is { } type ? new PlaceValue(type) : null,
            PlaceKind.EventId => origin.EventId is { } id ? new PlaceValue(id) : null,
            _ => place.TryFind(item, out var value) ? new PlaceValue(value) : null,
        };
}
