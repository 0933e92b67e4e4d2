using System.Buffers.Text;
using System.Text.Json;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>The position of a snapshot page, as in its URL: the key of the row before it.</summary>
internal static class PagePosition
{
    /// <summary>Formats a position for a URL; null stays null.</summary>
    public static string? Format(string[]? key) =>
        key is null ? null : Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(key, EngineJson.Default.StringArray));

    /// <summary>Whether texts cannot be values of a table's key; asked after the database has refused a read.</summary>
    /// <param name="connection">Open and idle.</param>
    /// <param name="key">The key columns.</param>
    /// <param name="texts">The texts from a URL, one for each column.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    public static async Task<bool> IsForgedAsync(
        NpgsqlConnection connection,
        IReadOnlyList<TableColumn> key,
        string[] texts,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var values = string.Join(", ", key.Select((column, i) => KeySql.Value(column, i + 1)));
            await connection.QueryAsync($"SELECT {values}", [.. texts], static _ => true, cancellationToken).ConfigureAwait(false);
            return false;
        }
        catch (PostgresException e) when (PostgresErrors.IsOfData(e))
        {
            return true;
        }
    }

    /// <summary>Parses a position from a URL; null is the first page, whose key is empty.</summary>
    /// <exception cref="FeedPositionException">This server did not issue it.</exception>
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
        catch (Exception e) when (e is FormatException or JsonException or InvalidOperationException)
        {
            throw new FeedPositionException(e);
        }
    }
}
