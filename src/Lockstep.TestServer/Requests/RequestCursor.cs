using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.TestServer.Requests;

/// <summary>Finds the cursor of a request in either style: <c>/servers/998</c> or <c>/servers?since=998</c>.</summary>
internal static class RequestCursor
{
    /// <summary>The cursor for the log: <c>since</c>, else the last path element, else null.</summary>
    public static string? Of(HttpRequest request)
    {
        if (Since(request) is { } since)
            return since;
        var path = RawPath(request);
        var last = path[(path.LastIndexOf('/') + 1)..];
        return last.Length == 0 ? null : Uri.UnescapeDataString(last);
    }

    /// <summary>
    /// Whether the request is for the feed at <paramref name="feedPath"/> (which ends with a slash), and its cursor: null when it names
    /// none.
    /// </summary>
    public static bool TryRead(HttpRequest request, string feedPath, out string? cursor)
    {
        cursor = Since(request);
        var path = RawPath(request);
        if (path.AsSpan().SequenceEqual(feedPath.AsSpan(0, feedPath.Length - 1)))
            return true;
        if (!path.StartsWith(feedPath, StringComparison.Ordinal))
            return false;
        if (cursor is null && path.Length > feedPath.Length)
            cursor = Uri.UnescapeDataString(path[feedPath.Length..]);
        return true;
    }

    /// <summary>What a cursor compares as: a number where it reads as one in JSON, else an opaque string.</summary>
    public static OrderValue Parse(string cursor)
    {
        Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(cursor));
        try
        {
            if (reader.Read() && reader.TokenType == JsonTokenType.Number)
            {
                var number = OrderValue.FromNumber(reader.ValueSpan);
                if (!reader.Read())
                    return number;
            }
        }
        catch (JsonException)
        {
            // Not a number, then.
        }
        return OrderValue.FromText(cursor);
    }

    private static string? Since(HttpRequest request) => request.Query.TryGetValue("since", out var since) ? since.ToString() : null;

    /// <summary>Still encoded, since a cursor may hold a slash or a percent sign.</summary>
    private static string RawPath(HttpRequest request)
    {
        var target = request.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (!target.StartsWith('/'))
            return request.Path.ToUriComponent();
        var query = target.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? target : target[..query];
    }
}
