using System.Buffers;
using System.Text.Json;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>Takes the item just found, and its offset in the body. Returns whether to pause after it.</summary>
internal delegate bool ItemSink(long offset);

/// <summary>
/// Finds the items in a JSON document that arrives piece by piece, however long it is; keeps what surrounds them, since signs may come
/// before or after. It does no I/O: the owner writes into <see cref="GetFreeMemory"/>. One thread at a time.
/// </summary>
internal sealed class DocumentReader
{
    /// <summary>Where the items are if the dialect does not say: in the first of these that is an array.</summary>
    internal static readonly string[] Usual = ["value", "items", "results", "data", "records", "entries", "values", "result", "Resources"];

    private static readonly JsonReaderOptions Options = new() { MaxDepth = 128 };

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    private const int UsualSize = 64 * 1024;

    private readonly Place? _items;
    private readonly int _limit;
    private readonly ArrayBufferWriter<byte> _around = new();
    private readonly List<string?> _path = [];
    private byte[] _buffer;
    private int _start;
    private int _end;
    private long _offset;
    private JsonReaderState _state = new(Options);
    private string? _name;
    private bool _inItems;
    private bool _isBehindItem;
    private bool _isFinal;
    private bool _hasBegun;
    private bool _hasMark;

    /// <summary>Creates a reader of one document.</summary>
    /// <param name="items">Where the items are; null for the usual places.</param>
    /// <param name="limit">The maximum size in bytes of an item, and of what surrounds the items.</param>
    /// <param name="buffer">The buffer of a reader that has finished; null for a new one.</param>
    public DocumentReader(Place? items, int limit, byte[]? buffer = null)
    {
        _items = items;
        _limit = limit;
        _buffer = buffer ?? new byte[UsualSize];
    }

    /// <summary>The last item found; valid while the sink runs.</summary>
    public JsonItem Item { get; } = new();

    /// <summary>The buffer, for the next reader once the body has ended: a read that was given up may still write into it.</summary>
    public byte[]? Buffer => _buffer.Length == UsualSize ? _buffer : null;

    /// <summary>Whether the items were found, even if there are none.</summary>
    public bool HasItems { get; private set; }

    /// <summary>Whether null is in the place of the items, as some servers send when there are none.</summary>
    public bool IsNull { get; private set; }

    /// <summary>Where the items were found.</summary>
    public string ItemsPlace { get; private set; } = "";

    /// <summary>Whether the whole document has arrived.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>The document without its items. To be disposed by the caller.</summary>
    public JsonDocument Around() => JsonDocument.Parse(_around.WrittenMemory, new JsonDocumentOptions { MaxDepth = 128 });

    /// <summary>What has arrived so far of the document around the items, as a document of its own. To be disposed by the caller.</summary>
    public JsonDocument Beginning()
    {
        var text = new ArrayBufferWriter<byte>();
        text.Write(_around.WrittenSpan);
        text.Write("]"u8);
        for (var i = 0; i < _path.Count; i++)
            text.Write("}"u8);
        return JsonDocument.Parse(text.WrittenMemory, new JsonDocumentOptions { MaxDepth = 128 });
    }

    /// <summary>Free space to read into.</summary>
    public Memory<byte> GetFreeMemory()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, _buffer.Length * 2);
        return _buffer.AsMemory(_end);
    }

    /// <summary>Takes the number of bytes written; zero when the body has ended.</summary>
    public void Advance(int count)
    {
        _end += count;
        _isFinal |= count == 0;
        _hasBegun = _hasBegun || TryBegin();
    }

    /// <summary>Skips what precedes the document. False if more bytes are needed to tell whether anything does.</summary>
    private bool TryBegin()
    {
        if (!_hasMark && _end - _start < ByteOrderMark.Length && !_isFinal)
            return false;
        if (!_hasMark && _buffer.AsSpan(_start, _end - _start).StartsWith(ByteOrderMark))
            PassOver(ByteOrderMark.Length);
        _hasMark = true;
        var held = _buffer.AsSpan(_start, _end - _start);
        var content = held.TrimStart(" \t\r\n"u8);
        PassOver(held.Length - content.Length);
        if (!_isFinal && BodyStart.MayBeGuard(content))
            return false;
        PassOver(BodyStart.GuardLength(content));
        return true;
    }

    private void PassOver(int count)
    {
        _start += count;
        _offset += count;
    }

    /// <summary>
    /// Processes the items that have arrived. False when more bytes are needed or the document is complete; true when the sink wants a
    /// pause.
    /// </summary>
    /// <exception cref="JsonException">The document is not JSON.</exception>
    /// <exception cref="InvalidDataException">An item is too large.</exception>
    public bool Read(ItemSink sink)
    {
        if (!_hasBegun || IsWhole)
            return false;
        while (true)
        {
            if (_inItems ? !ReadItem(sink, out var pauses) : !ReadAround(out pauses))
            {
                if (_end - _start > _limit)
                    throw new InvalidDataException($"an item is larger than {_limit} bytes");
                return false;
            }

            if (IsWhole || pauses)
                return pauses;
        }
    }

    /// <summary>
    /// Consumes what follows the end of the document. Returns whether that is white space: anything else belongs to something that is not
    /// read.
    /// </summary>
    public bool TakeRest()
    {
        var isBlank = _buffer.AsSpan(_start, _end - _start).IndexOfAnyExcept(" \t\r\n"u8) < 0;
        PassOver(_end - _start);
        return isBlank;
    }

    /// <summary>The next item, or the end of the items.</summary>
    private bool ReadItem(ItemSink sink, out bool pauses)
    {
        pauses = false;
        var held = _buffer.AsSpan(_start, _end - _start);
        var at = held.IndexOfAnyExcept(" \t\r\n"u8);
        if (at < 0)
            return false;
        if (held[at] == (byte)']')
            return EndItems(at);
        if (_isBehindItem)
        {
            if (held[at] != (byte)',')
                throw new JsonException($"'{(char)held[at]}' is invalid after a value. Expected either ',' or ']'.");
            var next = held[(at + 1)..].IndexOfAnyExcept(" \t\r\n"u8);
            if (next < 0)
                return false;
            at += 1 + next;
            if (held[at] == (byte)']')
                throw new JsonException("The JSON array contains a trailing comma at the end.");
        }

        var status = Item.Scan(_buffer.AsMemory(_start + at, held.Length - at));
        if (status == ScanStatus.Incomplete || (status == ScanStatus.Invalid && !IsDeep(held[at..])))
            return false;
        var item = Item.Bytes;
        if (item.Length > _limit)
            throw new InvalidDataException($"an item is larger than {_limit} bytes");
        pauses = sink(_offset + at);
        PassOver(at + item.Length);
        _isBehindItem = true;
        return true;
    }

    /// <summary>Leaves the end of the list to the reader of what surrounds it, which knows nothing of the items.</summary>
    private bool EndItems(int at)
    {
        PassOver(at);
        var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), _isFinal, _state);
        reader.Read();
        _inItems = false;
        _around.Write("]"u8);
        Consume(ref reader);
        IsWhole = reader.CurrentDepth == 0;
        return true;
    }

    /// <summary>
    /// Whether what the item reader refuses is JSON after all, only nested deeper than a record may be: then it is one malformed item.
    /// </summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    private bool IsDeep(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes, _isFinal, _state);
        if (!reader.Read() || !reader.TrySkip())
            return false;
        var length = (int)reader.BytesConsumed;
        Item.Refuse(_buffer.AsMemory(_end - bytes.Length, length));
        return true;
    }

    /// <summary>The next token around the items.</summary>
    private bool ReadAround(out bool pauses)
    {
        pauses = false;
        var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), _isFinal, _state);
        if (!reader.Read())
            return false;
        if (!JsonText.IsUnicode(ref reader))
            throw new InvalidDataException("a text around its items is not valid Unicode");
        switch (reader.TokenType)
        {
            case JsonTokenType.PropertyName:
                _name = reader.GetString();
                break;
            case JsonTokenType.StartArray when !HasItems && IsItems(reader.CurrentDepth):
                HasItems = _inItems = true;
                break;
            case JsonTokenType.Null when !HasItems && _items is not null && IsItems(reader.CurrentDepth):
                HasItems = IsNull = true;
                break;
            case JsonTokenType.StartArray or JsonTokenType.Null when HasItems && IsItemsAgain(reader.CurrentDepth):
                throw new InvalidDataException($"it has its list, '{ItemsPlace}', twice");
            case JsonTokenType.StartObject or JsonTokenType.StartArray:
                _path.Add(_name);
                _name = null;
                break;
            case JsonTokenType.EndObject or JsonTokenType.EndArray:
                _path.RemoveAt(_path.Count - 1);
                break;
        }

        _around.Write(_buffer.AsSpan(_start, (int)reader.BytesConsumed));
        if (_around.WrittenCount > _limit)
            throw new InvalidDataException($"what surrounds the items is larger than {_limit} bytes");
        var isEnd = reader.CurrentDepth == 0 && reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray);
        Consume(ref reader);
        IsWhole = isEnd && !_inItems;
        return true;
    }

    private bool IsItems(int depth)
    {
        // The path starts with the root, which has no name.
        if (_items is null ? depth == 0 || (depth == 1 && _path is [null] && Usual.Contains(_name)) : IsAt(_items, depth))
        {
            ItemsPlace = depth == 0 ? "" : _items?.Text ?? _name!;
            return true;
        }

        return false;
    }

    /// <summary>
    /// Whether this is where the items were. Readers do not agree on which of two members counts, and the first has been passed on.
    /// </summary>
    private bool IsItemsAgain(int depth) => _items is null ? depth == 1 && _path is [null] && _name == ItemsPlace : IsAt(_items, depth);

    private bool IsAt(Place place, int depth) =>
        depth == place.Segments.Count
        && (depth == 0 || (_path.Skip(1).SequenceEqual(place.Segments.Take(depth - 1)) && _name == place.Segments[^1]));

    private void Consume(ref Utf8JsonReader reader)
    {
        _start += (int)reader.BytesConsumed;
        _offset += reader.BytesConsumed;
        _state = reader.CurrentState;
    }
}
