using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Lockstep.Engine.Feed;

/// <summary>
/// What a server says about its error, short and plain enough for a message, and without secrets (I9). It is found where OData, Kubernetes,
/// OAuth (RFC 6749), problem details (RFC 9457) and Lockstep put it; otherwise it is the body, if that is one line of text.
/// </summary>
internal static partial class ErrorExcerpt
{
    private const int Longest = 200;

    /// <summary>How much of a text is searched for secrets: far more than is ever shown.</summary>
    private const int MostLooked = 4096;
    private const string Hidden = "***";

    /// <summary>The excerpt; null if there is nothing to show.</summary>
    /// <param name="body">The answer's body.</param>
    /// <param name="secrets">What was sent with the request and the server may repeat.</param>
    public static string? Of(ErrorBody body, IEnumerable<string> secrets)
    {
        var text = (body.Document is null ? LineOf(body.Bytes.Span) : Said(body.Root))?.Trim();
        if (string.IsNullOrEmpty(text))
            return null;
        if (text.Length > MostLooked)
            text = text[..MostLooked];
        // Hidden before it is truncated: half a secret is a secret too.
        text = Hide(text, secrets);
        text = Option().Replace(text, pair => SecretNames.Contain(pair.Groups[1].Value) ? $"{pair.Groups[1].Value}={Hidden}" : pair.Value);
        text = PlainText.Of(Bearer().Replace(text, "$1" + Hidden));
        if (text.Length <= Longest)
            return text;
        return text[..(char.IsHighSurrogate(text[Longest - 1]) ? Longest - 1 : Longest)].TrimEnd() + "…";
    }

    /// <summary>A text with the secrets in it hidden.</summary>
    public static string Hide(string text, IEnumerable<string> secrets)
    {
        foreach (var secret in secrets.Where(secret => secret.Length > 0).OrderByDescending(secret => secret.Length))
        {
            text = text.Replace(secret, Hidden, StringComparison.Ordinal)
                .Replace(Uri.EscapeDataString(secret), Hidden, StringComparison.Ordinal);
        }

        return text;
    }

    private static string? Said(JsonElement body)
    {
        if (body.ValueKind == JsonValueKind.String)
            return body.GetString();
        if (body.ValueKind != JsonValueKind.Object)
            return null;
        if (Text(body, "error_description") is { } description)
            return description;
        if (body.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object && MessageOf(error) is { } inner)
            return inner;
        if (MessageOf(body) is { } message)
            return message;
        var parts = new[] { Text(body, "title"), Text(body, "detail") }.OfType<string>().ToList();
        if (parts.Count > 0)
            return string.Join(": ", parts);
        if (body.TryGetProperty("errors", out var errors) && errors is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0)
            return Said(list[0]);
        return Text(body, "error");
    }

    /// <summary>A message, which older OData services wrap together with its language.</summary>
    private static string? MessageOf(JsonElement holder) =>
        Text(holder, "message")
        ?? (holder.TryGetProperty("message", out var wrapped) && wrapped.ValueKind == JsonValueKind.Object ? Text(wrapped, "value") : null);

    private static string? Text(JsonElement holder, string name)
    {
        if (!holder.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.String)
            return null;
        try
        {
            return value.GetString() is { } text && !string.IsNullOrWhiteSpace(text) ? text : null;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair.
            return null;
        }
    }

    private static string? LineOf(ReadOnlySpan<byte> bytes)
    {
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes).Trim();
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        // Markup is a page for a browser, and JSON that cannot be parsed says nothing in one line.
        return text.Length == 0 || text[0] is '<' or '{' or '[' || text.AsSpan().ContainsAny('\r', '\n', '\0') ? null : text;
    }

    [GeneratedRegex(@"(?<![\w-])([\w-]+)=[^\s&""';,]+")]
    private static partial Regex Option();

    [GeneratedRegex(@"\b(Bearer |Basic )[^\s""',;]{16,}", RegexOptions.IgnoreCase)]
    private static partial Regex Bearer();
}
