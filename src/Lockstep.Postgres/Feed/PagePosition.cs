using System.Buffers.Text;
using System.Text.Json;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>The position of a snapshot's page as it stands in its address: the key of the row before it.</summary>
internal static class PagePosition
{
    /// <summary>For an address; null stays null.</summary>
    public static string? Format(string[]? key) =>
        key is null ? null : Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(key, EngineJson.Default.StringArray));

    /// <summary>Reads an address; null is the first page's, whose key is empty.</summary>
    /// <exception cref="FeedPositionException">It is not one that this server gave out.</exception>
    public static string[] Parse(string? text, int parts)
    {
        if (text is null)
            return [];
        try
        {
            return
                JsonSerializer.Deserialize(Base64Url.DecodeFromChars(text), EngineJson.Default.StringArray) is { } key
                && key.Length == parts
                && !key.Contains(null)
                ? key
                : throw new FormatException();
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new FeedPositionException(e);
        }
    }
}
