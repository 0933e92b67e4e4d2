using System.Text;
using System.Text.Json;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// Detects which dialect reads a feed, from its URI, the headers of an answer and the first bytes of its body. Each is consulted once.
/// </summary>
internal static class DialectDetection
{
    /// <summary>The dialect that a URI suggests, to be confirmed by an answer; null if it suggests none.</summary>
    public static string? ByUri(Uri uri)
    {
        string[] path = [.. uri.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString)];
        if (path.Length == 0)
            return null;
        var last = path[^1];
        if (last == "_changes")
            return "CouchDb";
        if (
            last is "delta" or "delta()" or "microsoft.graph.delta" or "microsoft.graph.delta()"
            || last.StartsWith("delta(", StringComparison.Ordinal)
        )
        {
            return "ODataDelta";
        }

        if (path.Length >= 2 && path[^2] == "v1" && last == "shape" && uri.Query.Contains("table=", StringComparison.Ordinal))
            return "Shape";
        return (path.Length >= 3 && path[0] == "api" && path[1] == "v1") || (path.Length >= 4 && path[0] == "apis") ? "Kubernetes" : null;
    }

    /// <summary>The dialect that an answer's headers reveal; null if they reveal none.</summary>
    /// <param name="header">Returns a header's value, or null.</param>
    public static string? ByHead(Func<string, string?> header)
    {
        if (header(WireNames.FeedIdentityHeader) is not null)
            return null;
        if (header("electric-handle") is not null)
            return "Shape";
        if (header("stream-next-offset") is not null)
            return "DurableStream";
        return header("Content-Type")?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true ? "EventStream" : null;
    }

    /// <summary>The dialect of a body that is not one of Lockstep's own feeds; null if none reads it.</summary>
    /// <param name="start">Its beginning: a whole object, or what comes before one.</param>
    public static string? ByBody(ReadOnlySpan<byte> start)
    {
        var content = BodyStart.Content(start);
        // A server that protects its JSON from browsers sends a single document.
        if (content.IsEmpty)
            return BodyStart.IsGuarded(start) ? "Rest" : null;
        start = content;
        if (BodyStart.IsArray(start))
            return "Rest";
        if (start[0] == '{')
            return OfObject(start);
        foreach (var field in (string[])["data:", "event:", "id:", "retry:"])
        {
            if (start.StartsWith(Encoding.ASCII.GetBytes(field)))
                return "EventStream";
        }

        return null;
    }

    private static string? OfObject(ReadOnlySpan<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json.ToArray(), new JsonDocumentOptions { MaxDepth = 128 });
            var root = document.RootElement;
            bool IsList(string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array;
            if (IsList("results") && root.TryGetProperty("last_seq", out _))
                return "CouchDb";
            if (IsList("value") && (root.TryGetProperty("@odata.deltaLink", out _) || root.TryGetProperty("@deltaLink", out _)))
                return "ODataDelta";
            if (
                IsList("items")
                && root.TryGetProperty("kind", out var kind)
                && kind.ValueKind == JsonValueKind.String
                && kind.GetString()!.EndsWith("List", StringComparison.Ordinal)
                && root.TryGetProperty("metadata", out _)
            )
            {
                return "Kubernetes";
            }

            var isRecord = root.TryGetProperty(WireNames.DefaultKeyField, out _);
            return !isRecord && DocumentReader.Usual.Any(IsList) ? "Rest" : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
