using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>Where an item comes from.</summary>
/// <param name="EventType">The type of the event that brought it.</param>
/// <param name="EventId">The id of that event.</param>
/// <param name="List">The document around it, as far as it has come.</param>
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
