using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>
/// Reads JSON objects into objects of the caller's choice without losing what JSON says: integers exactly at any size (<see cref="long"/>,
/// beyond 64 bits <see cref="BigInteger"/>); numbers with a fraction or an exponent as <see cref="double"/>, as <see cref="decimal"/> if a
/// double loses digits, or as text if that loses some too; strings as strings whatever they look like, half a surrogate pair included. If a
/// name occurs twice, the last value counts. One thread at a time.
/// </summary>
internal sealed class RecordReader
{
    // A sequence of names longer than this is not remembered, and beyond the second limit all are forgotten: objects whose names are data
    // must not fill memory (I8).
    private const int LongestShared = 256;
    private const int MostShared = 20_000;

    // A point and fifteen digits, which every double keeps.
    private const int SurelyDouble = 16;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = 64 };
    private static readonly object True = true;
    private static readonly object False = false;

    private readonly IRecordFactory _factory;
    private FieldNames _root = FieldNames.Empty();
    private int _shared;

    // Values of the objects and arrays being read, the inner ones above the outer ones.
    private object?[] _stack = new object?[64];
    private int _top;

    /// <summary>Creates a reader.</summary>
    /// <param name="factory">Creates the objects. Called on the thread that reads.</param>
    public RecordReader(IRecordFactory factory) => _factory = factory;

    /// <summary>Reads one JSON object.</summary>
    /// <param name="json">The object in UTF-8, nested at most 64 deep.</param>
    /// <returns>What the factory created.</returns>
    /// <exception cref="JsonException">It is not exactly one JSON object, or is nested deeper.</exception>
    public object Read(ReadOnlySpan<byte> json)
    {
        Reset();
        var reader = new Utf8JsonReader(json, Options);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("A record is a JSON object.");

        var record = ReadObject(ref reader, depth: 0);
        return reader.Read() ? throw new JsonException("A record is one JSON object.") : record;
    }

    /// <summary>Reads one JSON value of any kind. An object is treated as one nested in a record.</summary>
    /// <param name="json">The value in UTF-8, nested at most 64 deep.</param>
    /// <exception cref="JsonException">It is not exactly one JSON value, or is nested deeper.</exception>
    public object? ReadAny(ReadOnlySpan<byte> json)
    {
        Reset();
        var reader = new Utf8JsonReader(json, Options);
        reader.Read();
        var value = ReadValue(ref reader, depth: 0);
        return reader.Read() ? throw new JsonException("There is more than one JSON value.") : value;
    }

    private void Reset()
    {
        if (_shared > MostShared)
        {
            _root = FieldNames.Empty();
            _shared = 0;
        }

        _top = 0;
    }

    private object ReadObject(ref Utf8JsonReader reader, int depth)
    {
        var start = _top;
        var names = _root;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (names.Count == LongestShared)
                return ReadWideObject(ref reader, depth, start, names);

            names = Continue(names, ref reader);
            SetValue(ref reader, depth, start + names.Slot);
        }

        return Finish(names, depth, start);
    }

    /// <summary>Continues with an object that has too many names to remember their sequence.</summary>
    private object ReadWideObject(ref Utf8JsonReader reader, int depth, int start, FieldNames first)
    {
        var names = new List<string>(first);
        var slots = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in names)
            slots.Add(name, slots.Count);

        do
        {
            var name = JsonText.Decode(ref reader);
            if (slots.TryAdd(name, names.Count))
                names.Add(name);

            SetValue(ref reader, depth, start + slots[name]);
        } while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName);
        return Finish(FieldNames.Of([.. names]), depth, start);
    }

    private FieldNames Continue(FieldNames names, ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped && names.Likely(reader.ValueSpan) is { } likely)
            return likely;

        var next = names.Then(JsonText.Decode(ref reader), out var created);
        if (created)
            _shared++;

        return next;
    }

    private void SetValue(ref Utf8JsonReader reader, int depth, int slot)
    {
        // The slot is reserved before the value is read, so that what is nested in the value lies above it.
        if (slot == _top)
            Push(null);

        reader.Read();
        var value = ReadValue(ref reader, depth);
        _stack[slot] = value;
    }

    private object Finish(FieldNames names, int depth, int start)
    {
        var made = _factory.Create(names, _stack.AsSpan(start, names.Count), depth);
        Pop(start);
        return made;
    }

    private object? ReadValue(ref Utf8JsonReader reader, int depth) =>
        reader.TokenType switch
        {
            JsonTokenType.String => JsonText.Decode(ref reader),
            JsonTokenType.Number => ReadNumber(ref reader),
            JsonTokenType.True => True,
            JsonTokenType.False => False,
            JsonTokenType.StartObject => ReadObject(ref reader, depth + 1),
            JsonTokenType.StartArray => ReadArray(ref reader, depth),
            _ => null,
        };

    private object?[] ReadArray(ref Utf8JsonReader reader, int depth)
    {
        var start = _top;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            // What is nested in the element is popped before the element takes its place.
            Push(ReadValue(ref reader, depth));
        }

        var array = _stack.AsSpan(start, _top - start).ToArray();
        Pop(start);
        return array;
    }

    private object ReadNumber(ref Utf8JsonReader reader)
    {
        if (reader.TryGetInt64(out var integer))
            return integer;

        var digits = reader.ValueSpan;
        if (digits.IndexOfAny(".eE"u8) < 0)
            return BigInteger.Parse(Encoding.ASCII.GetString(digits), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (digits.Length <= SurelyDouble && digits.IndexOfAny("eE"u8) < 0)
            return reader.GetDouble();
        return reader.TryGetDouble(out var number) && DecimalText.IsDouble(digits, number) ? number : ReadLongNumber(digits);
    }

    /// <summary>A number with more digits than a double holds.</summary>
    private object ReadLongNumber(ReadOnlySpan<byte> digits)
    {
        var text = Encoding.ASCII.GetString(digits);
        return
            decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && DecimalText.Compare(digits, Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture))) == 0
            ? number
            : _factory.CreateNumber(text);
    }

    private void Push(object? value)
    {
        if (_top == _stack.Length)
            Array.Resize(ref _stack, _top * 2);

        _stack[_top++] = value;
    }

    private void Pop(int start)
    {
        // Otherwise this would keep a record alive through slots that its successor has not overwritten yet.
        Array.Clear(_stack, start, _top - start);
        _top = start;
    }
}
