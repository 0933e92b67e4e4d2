using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// What must hold for a response or an item: that a place has a value other than null or false, that its value is one of several, that the
/// status is one of several, or that any of several conditions holds. Values compare by their JSON type: 410 is not "410". Immutable.
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

    private static (Place Place, WantedValue[] Values) ParseEqual(JsonProperty pair) =>
        (
            Place.Parse(pair.Name),
            pair.Value.ValueKind == JsonValueKind.Array
                ? [.. pair.Value.EnumerateArray().Select(value => new WantedValue(value))]
                : [new WantedValue(pair.Value)]
        );

    private sealed record Present(Place Place) : Condition
    {
        public override bool Holds(IPlaces where) => where.Find(Place) is { IsTrue: true };
    }

    private sealed record Status(int Code) : Condition
    {
        public override bool Holds(IPlaces where) => where.Status == Code;
    }

    private sealed record Any(Condition[] All) : Condition
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

    private sealed record Equal((Place Place, WantedValue[] Values)[] Pairs) : Condition
    {
        public override bool Holds(IPlaces where)
        {
            foreach ((var place, var values) in Pairs)
            {
                if (where.Find(place) is not { } found || !IsOneOf(values, found))
                    return false;
            }

            return Pairs.Length > 0;
        }

        private static bool IsOneOf(WantedValue[] values, in PlaceValue found)
        {
            foreach (var value in values)
            {
                if (value.Is(found))
                    return true;
            }

            return false;
        }
    }
}

/// <summary>Something that has places: a response, or an item of one.</summary>
internal interface IPlaces
{
    /// <summary>The response's status; 0 where there is none.</summary>
    int Status { get; }

    /// <summary>The value at a place; null if there is none.</summary>
    PlaceValue? Find(Place place);
}
