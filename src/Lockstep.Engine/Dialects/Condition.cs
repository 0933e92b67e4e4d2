using System.Globalization;
using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// What must hold in a response or an item: a place that is there, neither null nor false; a place with one of several values; a status; or
/// any of several conditions. Values compare by their JSON type: 410 is not "410". Immutable.
/// </summary>
internal abstract record Condition
{
    /// <summary>Whether it holds.</summary>
    public abstract bool Holds(IPlaces where);

    /// <summary>Reads a condition from a dialect's JSON.</summary>
    /// <exception cref="FormatException">It is not a condition.</exception>
    public static Condition Parse(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.String => new Present(Place.Parse(json.GetString()!)),
            JsonValueKind.Number when json.TryGetInt32(out var status) && status is >= 100 and < 600 => new Status(status),
            JsonValueKind.Object => new Equal([.. json.EnumerateObject().Select(ParseEqual)]),
            JsonValueKind.Array => new Any([.. json.EnumerateArray().Select(Parse)]),
            _ => throw new FormatException(
                $"{json.GetRawText()} is not a condition: a place, an object of places and values, a status from 100 to 599, "
                    + $"or a list of these"
            ),
        };

    private static (Place Place, JsonElement[] Values) ParseEqual(JsonProperty pair) =>
        (
            Place.Parse(pair.Name),
            pair.Value.ValueKind == JsonValueKind.Array
                ? [.. pair.Value.EnumerateArray().Select(value => value.Clone())]
                : [pair.Value.Clone()]
        );

    private sealed record Present(Place Place) : Condition
    {
        public override bool Holds(IPlaces where) => where.Find(Place) is { IsTrue: true };
    }

    private sealed record Status(int Code) : Condition
    {
        public override bool Holds(IPlaces where) => where.Status == Code;
    }

    private sealed record Any(IReadOnlyList<Condition> All) : Condition
    {
        public override bool Holds(IPlaces where)
        {
            foreach (var condition in All)
            {
                if (condition.Holds(where))
                    return true;
            }

            return false;
        }
    }

    private sealed record Equal(IReadOnlyList<(Place Place, JsonElement[] Values)> Pairs) : Condition
    {
        public override bool Holds(IPlaces where)
        {
            foreach ((var place, var values) in Pairs)
            {
                if (where.Find(place) is not { } found || !Array.Exists(values, value => found.Equals(value)))
                    return false;
            }

            return Pairs.Count > 0;
        }
    }
}

/// <summary>Something that has places: a response, or an item of one.</summary>
internal interface IPlaces
{
    /// <summary>The response's status; 0 where there is none.</summary>
    int Status { get; }

    /// <summary>What is at a place; null if nothing is.</summary>
    PlaceValue? Find(Place place);
}

/// <summary>What was found at a place: a JSON value, or a text.</summary>
internal readonly record struct PlaceValue
{
    private readonly JsonElement? _json;
    private readonly string? _text;

    public PlaceValue(string text) => _text = text;

    public PlaceValue(JsonElement json) => _json = json;

    /// <summary>The JSON value; null for a text.</summary>
    public JsonElement? Json => _json;

    /// <summary>Whether it is neither null nor false.</summary>
    public bool IsTrue => _json is not { ValueKind: JsonValueKind.Null or JsonValueKind.False or JsonValueKind.Undefined };

    /// <summary>The value as it goes into a request: a string's text, else the JSON; null for null and for an empty text.</summary>
    public string? Text
    {
        get
        {
            var text = _json switch
            {
                null => _text,
                { ValueKind: JsonValueKind.String } value => value.GetString(),
                { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => null,
                { } value => value.GetRawText(),
            };
            return string.IsNullOrEmpty(text) ? null : text;
        }
    }

    /// <summary>Whether it is the value, by its JSON type; after a <c>*</c>, whether a text ends with the rest.</summary>
    public bool Equals(JsonElement value)
    {
        var text =
            _json is not { } json ? _text
            : json.ValueKind == JsonValueKind.String ? json.GetString()
            : null;
        if (text is not null)
            return value.ValueKind == JsonValueKind.String && Matches(text, value.GetString()!);
        return _json is { } mine && mine.ValueKind == value.ValueKind && JsonElement.DeepEquals(mine, value);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Text}");

    private static bool Matches(string text, string pattern) =>
        pattern.StartsWith('*') ? text.EndsWith(pattern[1..], StringComparison.Ordinal) : text == pattern;
}
