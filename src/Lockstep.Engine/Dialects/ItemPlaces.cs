namespace Lockstep.Engine.Dialects;

/// <summary>Where an item comes from.</summary>
/// <param name="EventType">The type of the event that brought it.</param>
/// <param name="EventId">The id of that event.</param>
/// <param name="List">What the surrounding list says about its items.</param>
internal readonly record struct ItemOrigin(string? EventType, string? EventId, ListType? List = null);

/// <summary>An item's places. One thread at a time.</summary>
internal sealed class ItemPlaces : IPlaces
{
    /// <summary>The item, to be filled.</summary>
    public JsonItem Item { get; init; } = new();

    /// <summary>Where it comes from.</summary>
    public ItemOrigin Origin { get; set; }

    public int Status => 0;

    public PlaceValue? Find(Place place) =>
        place.Kind switch
        {
            PlaceKind.EventType => Origin.EventType is { } type ? new PlaceValue(type) : null,
            PlaceKind.EventId => Origin.EventId is { } id ? new PlaceValue(id) : null,
            _ => Item.Find(place),
        };
}
