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
        _source = bytes;
        var scan = new JsonScanner(bytes.Span, maximumDepth);
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

    /// <summary>Whether it is an object with a member of this name.</summary>
    public bool Has(ReadOnlySpan<byte> name) => IndexOf(name) >= 0;

    /// <summary>The value at a place; null if there is none. If a name occurs twice, the last value counts.</summary>
    public PlaceValue? Find(Place place)
    {
        if (place.Kind is not (PlaceKind.Field or PlaceKind.Pointer))
            return null;
        var names = place.Names;
        if (Kind == JsonKind.None)
            return null;
        if (names.Length == 0 || Kind != JsonKind.Object)
            return Within(new PlaceValue(Bytes, Kind), names);
        var index = IndexOf(names[0]);
        return index < 0 ? null : Within(PlaceValue.Of(_members[index].Value, _source), names[1..]);
    }

    private int IndexOf(ReadOnlySpan<byte> name)
    {
        var source = _source.Span;
        for (var i = Count - 1; i >= 0; i--)
        {
            ref readonly var member = ref _members[i];
            if (member.Name.IsEscaped ? Name(i).SequenceEqual(name) : member.Name.Of(source).SequenceEqual(name))
                return i;
        }

        return -1;
    }

    private static PlaceValue? Within(PlaceValue value, ReadOnlySpan<byte[]> names)
    {
        PlaceValue? found = value;
        foreach (var name in names)
        {
            found =
                found is not { } outer ? null
                : outer.Kind == JsonKind.Object ? OfMember(outer, name)
                : outer.Kind == JsonKind.Array && Place.TryIndex(name, out var index) ? Element(outer, index)
                : null;
        }

        return found;
    }

    private static PlaceValue? OfMember(PlaceValue json, ReadOnlySpan<byte> wanted)
    {
        var bytes = json.Json.Span;
        var scan = new JsonScanner(bytes, RecordParser.MaximumDepth);
        PlaceValue? found = null;
        scan.Open();
        while (scan.NextName(out var name) && scan.ReadValue(out var value))
        {
            if (name.IsEscaped ? KeyPart.Unescape(name, bytes).AsSpan().SequenceEqual(wanted) : name.Of(bytes).SequenceEqual(wanted))
                found = PlaceValue.Of(value, json.Json);
        }

        return found;
    }

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
