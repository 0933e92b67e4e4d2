using System.Runtime.CompilerServices;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// One JSON value in place, and if it is an object the positions of its members: found in one pass, which checks the grammar. The inside of
/// a member is examined only on demand. Reused for each value. One thread at a time.
/// </summary>
internal sealed class JsonItem
{
    private Member[] _members = new Member[16];

    /// <summary>A bit for each name, by its length and first byte: most names that are not there are not compared with any.</summary>
    private ulong _names;

    /// <summary>The members of one of its members, and which: conditions, cursor and key often are in the same.</summary>
    private JsonItem? _inner;
    private int _innerIndex = -1;
    private ReadOnlyMemory<byte> _source;
    private byte[] _copy = [];
    private int _start;
    private int _end;

    /// <summary>The kind of the value; none if there was no value that could be read.</summary>
    public JsonKind Kind { get; private set; }

    /// <summary>The value's bytes.</summary>
    public ReadOnlyMemory<byte> Bytes => _source[_start.._end];

    /// <summary>The number of members, if it is an object.</summary>
    public int Count { get; private set; }

    /// <summary>Finds the value at the start of some bytes; more may follow it. The item refers to the bytes.</summary>
    [MethodImpl(HotCode.Options)]
    public ScanStatus Scan(ReadOnlyMemory<byte> bytes, int maximumDepth = RecordParser.MaximumDepth)
    {
        Count = 0;
        _names = 0;
        _innerIndex = -1;
        _source = bytes;
        var span = bytes.Span;
        var scan = new JsonScanner(span, maximumDepth);
        Kind = scan.Peek();
        _start = scan.Position;
        if (Kind == JsonKind.Object)
        {
            scan.Open();
            while (scan.Status == ScanStatus.Ok && scan.NextName(out var name) && scan.ReadValue(out var value))
            {
                if (Count == _members.Length)
                    Array.Resize(ref _members, Count * 2);
                _members[Count++] = new Member(name, value);
                _names |= name.IsEscaped ? ulong.MaxValue : BitOf(name.Of(span));
            }
        }
        else if (Kind != JsonKind.None)
        {
            scan.ReadValue(out _);
        }

        _end = scan.Position;
        if (scan.Status != ScanStatus.Ok)
            Kind = JsonKind.None;
        return scan.Status;
    }

    /// <summary>Reads a copy of bytes that are a single value, possibly with white space around it. False if they are not.</summary>
    public bool Read(ReadOnlySpan<byte> bytes, int maximumDepth = RecordParser.MaximumDepth)
    {
        if (_copy.Length <= bytes.Length)
            _copy = new byte[Math.Max(bytes.Length + 1, _copy.Length * 2)];
        bytes.CopyTo(_copy);
        // A number ends only where something follows it.
        _copy[bytes.Length] = (byte)' ';
        var isWhole =
            Scan(_copy.AsMemory(0, bytes.Length + 1), maximumDepth) == ScanStatus.Ok
            && _copy.AsSpan(_end..bytes.Length).IndexOfAnyExcept(" \t\r\n"u8) < 0;
        if (!isWhole)
            Refuse(_copy.AsMemory(0, bytes.Length));
        return isWhole;
    }

    /// <summary>Clears the item, so that nothing is found in it.</summary>
    public void Clear() => Refuse(default);

    /// <summary>Takes bytes that are not a value within the depth that records may have.</summary>
    public void Refuse(ReadOnlyMemory<byte> bytes)
    {
        (_source, _start, _end, Count, Kind) = (bytes, 0, bytes.Length, 0, JsonKind.None);
    }

    /// <summary>A member's name, without escapes.</summary>
    public ReadOnlySpan<byte> Name(int index)
    {
        var name = _members[index].Name;
        return name.IsEscaped ? KeyPart.Unescape(name, _source.Span) : name.Of(_source.Span);
    }

    /// <summary>A member as written: name, colon and value.</summary>
    public ReadOnlySpan<byte> Text(int index)
    {
        ref readonly var member = ref _members[index];
        var start = member.Name.Start - 1;
        return _source.Span[start..member.End];
    }

    /// <summary>All members as written, without the braces around them; there is at least one.</summary>
    public ReadOnlySpan<byte> Members => _source.Span[(_members[0].Name.Start - 1).._members[Count - 1].End];

    /// <summary>Whether it is an object with a member of this name.</summary>
    public bool Has(ReadOnlySpan<byte> name) => IndexOf(name) >= 0;

    /// <summary>The value at a place; null if there is none. If a name occurs twice, the last value counts.</summary>
    public PlaceValue? Find(Place place) => place.Kind is PlaceKind.Field or PlaceKind.Pointer ? Find(place.Names) : null;

    private PlaceValue? Find(ReadOnlySpan<byte[]> names)
    {
        if (Kind == JsonKind.None)
            return null;
        if (names.IsEmpty)
            return new PlaceValue(Bytes, Kind);
        var index =
            Kind == JsonKind.Object ? IndexOf(names[0])
            : Kind == JsonKind.Array && Place.TryIndex(names[0], out var number) ? number
            : -1;
        if (index < 0)
            return null;
        if (names.Length == 1 || _innerIndex != index)
        {
            var value =
                Kind == JsonKind.Object ? PlaceValue.Of(_members[index].Value, _source) : Element(new PlaceValue(Bytes, Kind), index);
            if (names.Length == 1 || value is not { Kind: JsonKind.Object or JsonKind.Array } outer)
                return names.Length == 1 ? value : null;
            _inner ??= new JsonItem();
            _inner.Scan(outer.Json);
            _innerIndex = index;
        }

        return _inner!.Find(names[1..]);
    }

    private int IndexOf(ReadOnlySpan<byte> name)
    {
        if ((_names & BitOf(name)) == 0)
            return -1;
        var source = _source.Span;
        for (var i = Count - 1; i >= 0; i--)
        {
            ref readonly var member = ref _members[i];
            if (member.Name.IsEscaped ? Name(i).SequenceEqual(name) : member.Name.Of(source).SequenceEqual(name))
                return i;
        }

        return -1;
    }

    private static ulong BitOf(ReadOnlySpan<byte> name) => name.IsEmpty ? 1 : 1UL << ((name.Length * 5) + name[0]);

    private static PlaceValue? Element(PlaceValue json, int index)
    {
        var scan = new JsonScanner(json.Json.Span, RecordParser.MaximumDepth);
        scan.OpenArray();
        while (scan.NextElement(out var value))
        {
            if (index-- == 0)
                return PlaceValue.Of(value, json.Json);
        }

        return null;
    }

    /// <summary>Why there is no value: the general reader's message, which says where.</summary>
    public string WhatIsWrong()
    {
        try
        {
            var reader = new Utf8JsonReader(Bytes.Span, new JsonReaderOptions { MaxDepth = RecordParser.MaximumDepth });
            while (reader.Read()) { }
            return "it is not valid JSON";
        }
        catch (JsonException e)
        {
            return "it is not valid JSON: " + JsonText.Explain(e);
        }
    }

    private readonly record struct Member(JsonSlice Name, JsonSlice Value)
    {
        /// <summary>Where the value ends, quotes included.</summary>
        public int End => Value.Start + Value.Length + (Value.Kind == JsonKind.String ? 1 : 0);
    }
}
