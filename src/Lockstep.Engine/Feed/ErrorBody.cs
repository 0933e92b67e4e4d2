using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>The body of an answer, if it is short: a server's error, or its description of itself.</summary>
internal sealed class ErrorBody : IDisposable
{
    private const int Most = 64 * 1024;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private ErrorBody(ReadOnlyMemory<byte> bytes, JsonDocument? document) => (Bytes, Document) = (bytes, document);

    /// <summary>The body, or as much of it as was read.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The body as JSON; null if it is not JSON, or was cut off.</summary>
    public JsonDocument? Document { get; }

    /// <summary>The same, undefined if it is not JSON.</summary>
    public JsonElement Root => Document?.RootElement ?? default;

    /// <summary>Reads it, once: the answer has no body afterwards.</summary>
    public static async Task<ErrorBody> ReadAsync(FeedClient client, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var bytes = new byte[Most];
        var length = 0;
        try
        {
            await using var stream = await client.OpenContentAsync(response, cancellationToken).ConfigureAwait(false);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Longest);
            while (
                length < bytes.Length
                && await stream.ReadAsync(bytes.AsMemory(length), limit.Token).ConfigureAwait(false) is > 0 and var read
            )
            {
                length += read;
            }

            return new ErrorBody(bytes.AsMemory(0, length), Parse(bytes.AsMemory(0, length)));
        }
        catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException or FeedException)
        {
            return new ErrorBody(bytes.AsMemory(0, length), null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new ErrorBody(bytes.AsMemory(0, length), null);
        }
    }

    /// <summary>An error that came as one item of a stream.</summary>
    public static ErrorBody Of(ReadOnlyMemory<byte> bytes) => new(bytes, Parse(bytes));

    /// <inheritdoc/>
    public void Dispose() => Document?.Dispose();

    private static JsonDocument? Parse(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            if (!JsonText.IsUnicode(bytes.Span))
                return null;
            var document = JsonDocument.Parse(bytes);
            if (document.RootElement is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() == 0)
                return document;
            // A list with one sign in it is how some servers write their errors.
            using (document)
                return JsonDocument.Parse(list[0].GetRawText());
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
