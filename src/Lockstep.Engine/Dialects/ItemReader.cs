using System.Text;
using System.Text.Unicode;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>What an item is.</summary>
internal enum ItemKind
{
    Record,

    /// <summary>An item whose children are the records, to be read one by one.</summary>
    Parent,

    /// <summary>Nothing for the table.</summary>
    Nothing,

    /// <summary>A sign of life.</summary>
    Heartbeat,

    /// <summary>Something unknown to the dialect.</summary>
    Unknown,

    /// <summary>A sign that everything has arrived.</summary>
    UpToDate,

    /// <summary>The feed cannot resume from the cursor.</summary>
    Resync,

    /// <summary>Not a record, though it should be one.</summary>
    Malformed,
}

/// <summary>
/// Turns an item into a record as the dialect describes: where in it the record is, its key, its order and its deletion mark. Results are
/// valid until the next call. One thread at a time.
/// </summary>
internal sealed class ItemReader
{
    /// <summary>Where many servers mark a record as deleted.</summary>
    private static readonly Place[] DeletionMarks = [Place.Parse("deleted_at"), Place.Parse("deleted"), Place.Parse("is_deleted")];

    private readonly JsonItem _inner = new();
    private readonly ItemPlaces _child = new();

    /// <summary>The children of the item that was read last, and where the next one begins, or what precedes it.</summary>
    private ReadOnlyMemory<byte> _children;
    private int _next;
    private readonly ItemKey _key;
    private readonly ItemBody _body;

    /// <param name="shape">The table's shape, if it has one.</param>
    /// <param name="fields">The field names that the table already knows.</param>
    public ItemReader(RecordShape? shape, IEnumerable<string> fields)
    {
        _key = new ItemKey(shape);
        _body = new ItemBody(_key, fields);
    }

    /// <inheritdoc cref="ItemKey.Shape"/>
    public RecordShape? Shape => _key.Shape;

    /// <inheritdoc cref="ItemBody.Fields"/>
    public FieldCatalog Fields => _body.Fields;

    /// <summary>Why the item is malformed.</summary>
    public string Reason { get; private set; } = "";

    /// <inheritdoc cref="ItemKey.IsMissing"/>
    public bool LacksKey => _key.IsMissing;

    /// <inheritdoc cref="ItemKey.IsUnnamed"/>
    public bool HasNoNameOfKey => _key.IsUnnamed;

    /// <inheritdoc cref="ItemKey.MissingInEvent"/>
    public string? KeyMissingInEvent => _key.MissingInEvent;

    /// <summary>The item's cursor, valid until the next call; null if it has none.</summary>
    public PlaceValue? Cursor { get; private set; }

    /// <summary>The item's values for the next page, for parameters that are places of the last item.</summary>
    public Dictionary<string, string> NextValues { get; } = [];

    /// <summary>Whether an item had the list whose elements are the records.</summary>
    public bool HasChildren { get; private set; }

    /// <summary>The lists of changes that an item had instead; null if every item had the one that is read.</summary>
    public IReadOnlyList<string>? LackedChildren { get; private set; }

    /// <inheritdoc cref="ItemBody.Dropped"/>
    public string? Dropped => _body.Dropped;

    /// <summary>A field that marked a record as deleted the way many servers do, but not this dialect; null if there was none.</summary>
    public string? DeletionMark { get; private set; }

    /// <summary>Reads an item.</summary>
    /// <param name="rules">The rules to apply.</param>
    /// <param name="places">The item and its origin.</param>
    /// <param name="signs">Whether the item may be a sign instead of a record.</param>
    /// <param name="record">The record, when it is one; valid until the next call.</param>
    public ItemKind Read(DialectRules rules, ItemPlaces places, bool signs, out RoutedRecord record)
    {
        record = default;
        Cursor = null;
        var item = places.Item;
        if (!Utf8.IsValid(item.Bytes.Span))
            return Malformed("it is not valid UTF-8");
        if (item.Kind == JsonKind.None)
            return Malformed(item.WhatIsWrong());
        try
        {
            Cursor = CursorOf(rules, places);
            for (var i = 0; i < rules.NextParameters.Count; i++)
            {
                (var name, var place) = rules.NextParameters[i];
                if (place.IsOfItems && places.Find(place) is { Text: { } text })
                    NextValues[name] = text;
            }

            if (signs && Sign(rules, places) is { } sign)
                return sign;
            if (rules.Skip?.Holds(places) == true)
                return ItemKind.Nothing;
            if (rules.Only?.Holds(places) == false)
                return ItemKind.Unknown;
            if (item.Kind != JsonKind.Object)
                return Malformed("it is not a JSON object");
            return rules.Children is null ? Route(rules, places, ref record) : RouteParent(rules, places, ref record);
        }
        catch (InvalidOperationException)
        {
            return Malformed("a field's name or its key is a string that is not valid Unicode");
        }
    }

    private static PlaceValue? CursorOf(DialectRules rules, ItemPlaces places)
    {
        for (var i = 0; i < rules.Cursor.Count; i++)
        {
            var place = rules.Cursor[i];
            if ((place.IsOfItems || place.Kind == PlaceKind.EventId) && places.Find(place) is { HasText: true } cursor)
                return cursor;
        }

        return null;
    }

    private static ItemKind? Sign(DialectRules rules, ItemPlaces places) =>
        rules.Resync?.Holds(places) == true ? ItemKind.Resync
        : rules.UpToDate?.Holds(places) == true ? ItemKind.UpToDate
        : rules.Heartbeat?.Holds(places) == true ? ItemKind.Heartbeat
        : null;

    private ItemKind Route(DialectRules rules, ItemPlaces places, ref RoutedRecord record)
    {
        var isDeleted = rules.Deleted?.Holds(places) == true;
        var body = places.Item;
        if (rules.Record is { } place && body.Find(place) is { } found)
        {
            if (found.Kind == JsonKind.Object)
            {
                _inner.Scan(found.Json);
                body = _inner;
            }
            else if (!isDeleted)
            {
                return found.Kind == JsonKind.Null ? ItemKind.Nothing : Malformed($"its '{place}' is not a JSON object");
            }
        }

        // The rule of event streams is about the event's name, and says nothing about marks in the record.
        if (!isDeleted && (rules.Deleted is null || rules.Framing == DialectFraming.EventStream))
            DeletionMark ??= MarkOf(body);
        if (!_key.Read(rules, places, body, isDeleted))
            return Malformed(_key.Reason);
        var order = OrderKind.Arrival;
        var orderValue = 0L;
        ReadOnlySpan<byte> orderText = default;
        if (rules.OrderBy is { } by)
        {
            order = OrderKind.Number;
            if (body.Find(by) is not { } value || !TryReadOrder(value, rules.Zone, out orderValue, out orderText))
                return Malformed($"it has no number or time '{by}', its order field");
        }

        return Finish(rules, body, isDeleted, order, orderValue, orderText, isDeleted ? null : places.Origin.List, ref record);
    }

    private ItemKind Finish(
        DialectRules rules,
        JsonItem body,
        bool isDeleted,
        OrderKind order,
        long orderValue,
        ReadOnlySpan<byte> orderText,
        ListType? list,
        ref RoutedRecord record
    )
    {
        if (!_key.Settle(order))
            return Malformed(_key.Reason);
        var json = _body.Read(rules, body, list, isDeleted);
        record = new RoutedRecord
        {
            KeyLayout = Shape!.KeyLayout,
            IntegerKey = _key.Integer,
            EncodedKey = _key.Encoded,
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

    /// <summary>An item whose children are the records: what is gone takes them with it.</summary>
    private ItemKind RouteParent(DialectRules rules, ItemPlaces places, ref RoutedRecord record)
    {
        var isDeleted = rules.Deleted?.Holds(places) == true;
        var list = isDeleted ? null : places.Item.Find(rules.Children!);
        HasChildren |= list is not null;
        if (!isDeleted && list is not { Kind: not JsonKind.Null })
        {
            if (LackedChildren is not { Count: > 0 })
                LackedChildren = ListsOfChanges(places.Item);
            return ItemKind.Nothing;
        }

        if (!_key.ReadParent(rules, places, isDeleted))
            return Malformed(_key.Reason);
        if (isDeleted)
        {
            if (!_key.SettleParent(rules.ParentParts))
                return ItemKind.Nothing;
            record = new RoutedRecord
            {
                KeyLayout = KeyLayout.Encoded,
                EncodedKey = _key.Encoded,
                OrderKind = OrderKind.Arrival,
                IsDeleted = true,
                IsOfParent = true,
                Json = places.Item.Bytes.Span,
            };
            return ItemKind.Record;
        }

        if (list is not { Kind: JsonKind.Array or JsonKind.Object } found)
            return Malformed($"its '{rules.Children}' is not a list");
        // Of what can be one only, some servers send no list but the one.
        _children = found.Json;
        _next = found.Kind == JsonKind.Array ? 1 : 0;
        return ItemKind.Parent;
    }

    /// <summary>Reads the next child of an item that is a <see cref="ItemKind.Parent"/>. False when there are no more.</summary>
    /// <param name="rules">How.</param>
    /// <param name="parent">The item; it must not change meanwhile.</param>
    /// <param name="kind">What the child is: a record, or malformed.</param>
    /// <param name="record">The record, when it is one; valid until the next call.</param>
    public bool ReadChild(DialectRules rules, ItemPlaces parent, out ItemKind kind, out RoutedRecord record)
    {
        record = default;
        kind = ItemKind.Nothing;
        if (!FindChild())
            return false;
        try
        {
            kind = RouteChild(rules, parent, ref record);
        }
        catch (InvalidOperationException)
        {
            kind = Malformed("a field's name or its key is a string that is not valid Unicode");
        }

        if (kind == ItemKind.Malformed)
            Reason = $"in '{rules.Children}' of {parent.Find(rules.Key[0].Place)?.Text}, {Reason}";
        return true;
    }

    /// <summary>The bytes of the child that was read last.</summary>
    public ReadOnlySpan<byte> Child => _child.Item.Bytes.Span;

    /// <summary>Where in its item that child begins.</summary>
    public int OffsetIn(ItemPlaces parent) => parent.Item.Bytes.Span.Overlaps(Child, out var offset) ? offset : 0;

    /// <summary>The list is known to be valid JSON.</summary>
    private bool FindChild()
    {
        var rest = _children.Span[Math.Min(_next, _children.Length)..];
        var at = rest.IndexOfAnyExcept(", \t\r\n"u8);
        if (at < 0 || rest[at] == (byte)']')
            return false;
        _next += at;
        _child.Item.Scan(_children[_next..]);
        _next += _child.Item.Bytes.Length;
        return true;
    }

    private ItemKind RouteChild(DialectRules rules, ItemPlaces parent, ref RoutedRecord record)
    {
        if (_child.Item.Kind != JsonKind.Object)
            return Malformed("it is not a JSON object");
        var isDeleted = rules.Deleted?.Holds(_child) == true;
        return _key.ReadChild(rules, parent, _child, isDeleted)
            ? Finish(rules, _child.Item, isDeleted, OrderKind.Arrival, 0, default, list: null, ref record)
            : Malformed(_key.Reason);
    }

    private static string? MarkOf(JsonItem body)
    {
        foreach (var mark in DeletionMarks)
        {
            if (body.Find(mark) is { IsTrue: true, HasText: true } value && !value.Json.Span.SequenceEqual("0"u8))
                return mark.Text;
        }

        return null;
    }

    private static bool TryReadOrder(PlaceValue value, TimeZoneInfo zone, out long order, out ReadOnlySpan<byte> text)
    {
        order = 0;
        text = default;
        if (value.Kind == JsonKind.Number)
        {
            var raw = value.Json.Span;
            if (!DecimalText.TryGetInt64(raw, out order))
                text = raw;
            return true;
        }

        if (value.Kind != JsonKind.String || TimeText.Parse(value.Text ?? "", zone) is not { } time)
            return false;
        order = time.UtcTicks;
        return true;
    }

    private static List<string> ListsOfChanges(JsonItem item)
    {
        var names = new List<string>();
        for (var i = 0; i < item.Count; i++)
        {
            if (item.Name(i).EndsWith("@delta"u8))
                names.Add(Encoding.UTF8.GetString(item.Name(i)));
        }

        return names;
    }

    private ItemKind Malformed(string reason)
    {
        Reason = reason;
        return ItemKind.Malformed;
    }
}
