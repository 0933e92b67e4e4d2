using System.Text.Json;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Dialects;

/// <summary>What an answer that is no success says in its body, where that is short JSON.</summary>
internal static class ErrorBody
{
    private const int Most = 64 * 1024;

    /// <summary>Reads it; null where it is none. To be disposed.</summary>
    public static async Task<JsonDocument?> ReadAsync(FeedClient client, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await client.OpenContentAsync(response, cancellationToken).ConfigureAwait(false);
            var bytes = new byte[Most];
            var length = 0;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(TimeSpan.FromSeconds(10));
            while (
                length < bytes.Length
                && await stream.ReadAsync(bytes.AsMemory(length), limit.Token).ConfigureAwait(false) is > 0 and var read
            )
            {
                length += read;
            }

            // A list with one sign in it is how some servers write their errors.
            var document = JsonDocument.Parse(bytes.AsMemory(0, length));
            if (document.RootElement is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0)
            {
                using (document)
                    return JsonDocument.Parse(list[0].GetRawText());
            }

            return document;
        }
        catch (Exception e) when (e is JsonException or IOException or HttpRequestException or InvalidDataException or FeedException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }
}
