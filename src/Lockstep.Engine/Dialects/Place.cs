using System.Globalization;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>What a place is looked up in.</summary>
internal enum PlaceKind
{
    /// <summary>A top-level field of an object, by its exact name.</summary>
    Field,

    /// <summary>A JSON Pointer (RFC 6901); an empty one is the whole value.</summary>
    Pointer,

    /// <summary>A header of the response.</summary>
    Header,

    /// <summary>A relation of the response's <c>Link</c> header (RFC 8288), or of links in the body.</summary>
    Link,

    /// <summary>The type of a server-sent event.</summary>
    EventType,

    /// <summary>The id of a server-sent event.</summary>
    EventId,

    /// <summary>How many items have been read, or the number of the next page: counted, not read.</summary>
    Count,
}

/// <summary>
/// Where something is in a response or an item. Its text form is described in <c>docs/DIALECTS.md</c>: a field's name, a JSON Pointer,
/// <c>header:NAME</c>, <c>link:REL</c>, <c>event:</c>, <c>id:</c>; after <c>last:</c> or <c>max:</c>, the value of the last item or the
/// largest value. Immutable.
/// </summary>
internal sealed record Place
{
    private static readonly (string Prefix, PlaceKind Kind)[] Prefixes =
    [
        ("header:", PlaceKind.Header),
        ("link:", PlaceKind.Link),
        ("event:", PlaceKind.EventType),
        ("id:", PlaceKind.EventId),
        ("offset:", PlaceKind.Count),
        ("page:", PlaceKind.Count),
    ];

    private readonly byte[][] _names;

    private Place(string text, PlaceKind kind, string name)
    {
        Text = text;
        Kind = kind;
        Name = name;
        Segments =
            kind != PlaceKind.Pointer ? [name]
            : name.Length == 0 ? []
            : [.. name[1..].Split('/').Select(FieldPath.Unescape)];
        _names = [.. Segments.Select(Encoding.UTF8.GetBytes)];
    }

    /// <summary>The text as written.</summary>
    public string Text { get; }

    public PlaceKind Kind { get; }

    /// <summary>The field, header or relation.</summary>
    public string Name { get; }

    /// <summary>The names that lead to the value of a field or pointer.</summary>
    public IReadOnlyList<string> Segments { get; }

    /// <summary>The same names as UTF-8.</summary>
    public ReadOnlySpan<byte[]> Names => _names;

    /// <summary>Whether it refers to the response's items: the last one, or the largest value.</summary>
    public bool IsOfItems { get; private init; }

    /// <summary>Whether it refers to the largest value rather than the last one.</summary>
    public bool IsMaximum { get; private init; }

    /// <summary>Reads a place.</summary>
    /// <param name="text">Its text.</param>
    /// <exception cref="FormatException">It is not a place; the message says why.</exception>
    public static Place Parse(string text)
    {
        if (text.StartsWith("last:", StringComparison.Ordinal))
            return OfItems(text, "last:") with { IsOfItems = true };
        if (text.StartsWith("max:", StringComparison.Ordinal))
            return OfItems(text, "max:") with { IsOfItems = true, IsMaximum = true };
        foreach ((var prefix, var kind) in Prefixes)
        {
            if (text.StartsWith(prefix, StringComparison.Ordinal))
            {
                var name = text[prefix.Length..];
                if (name.Length == 0 == kind is PlaceKind.Header or PlaceKind.Link)
                {
                    throw new FormatException(
                        $"'{text}' is not a place: {(name.Length == 0 ? "a name follows" : "nothing follows")} '{prefix}'"
                    );
                }

                return new Place(text, kind, kind == PlaceKind.Count ? prefix[..^1] : name);
            }
        }

        return text.Length == 0 || text[0] == '/' ? new Place(text, PlaceKind.Pointer, text) : new Place(text, PlaceKind.Field, text);
    }

    private static Place OfItems(string text, string prefix) =>
        Parse(text[prefix.Length..]) is { Kind: PlaceKind.Field or PlaceKind.Pointer, IsOfItems: false } place
            ? place
            : throw new FormatException($"'{text}' is not a place: a field or a JSON Pointer follows '{prefix}'");

    /// <summary>The value within a JSON value, for a field or a pointer.</summary>
    public bool TryFind(JsonElement root, out JsonElement value)
    {
        value = root;
        if (Kind is not (PlaceKind.Field or PlaceKind.Pointer))
            return false;
        for (var i = 0; i < _names.Length; i++)
        {
            if (value.ValueKind == JsonValueKind.Object)
            {
                if (!value.TryGetProperty(_names[i], out value))
                    return false;
            }
            else if (value.ValueKind == JsonValueKind.Array && TryIndex(_names[i], out var index) && index < value.GetArrayLength())
            {
                value = value[index];
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    /// <summary>Whether a segment is the number of an element, which has no leading zeros.</summary>
    public static bool TryIndex(ReadOnlySpan<byte> segment, out int index) =>
        int.TryParse(segment, NumberStyles.None, CultureInfo.InvariantCulture, out index) && segment is not [(byte)'0', _, ..];
}
