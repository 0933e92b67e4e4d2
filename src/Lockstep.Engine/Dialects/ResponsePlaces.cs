using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>A response's places: its status, its headers, its links, and what surrounds the items in its body.</summary>
/// <param name="response">The response.</param>
/// <param name="body">What surrounds the items; undefined if there is no JSON.</param>
internal sealed class ResponsePlaces(HttpResponseMessage response, JsonElement body = default) : IPlaces
{
    public int Status => (int)response.StatusCode;

    public JsonElement Body => body;

    public PlaceValue? Find(Place place)
    {
        if (place.IsOfItems)
            return null;
        return place.Kind switch
        {
            PlaceKind.Header => Header(place.Name) is { } text ? new PlaceValue(text) : null,
            PlaceKind.Link => (LinkHeader(place.Name) ?? LinkInBody(place.Name)) is { } link ? new PlaceValue(link) : null,
            _ => body.ValueKind != JsonValueKind.Undefined && place.TryFind(body, out var value) ? new PlaceValue(value) : null,
        };
    }

    /// <summary>A header's first value; null if it is missing.</summary>
    public string? Header(string name) => Values(name).FirstOrDefault();

    private IEnumerable<string> Values(string name) =>
        response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values) ? values : [];

    /// <summary>The target of a relation in the <c>Link</c> headers (RFC 8288).</summary>
    private string? LinkHeader(string relation)
    {
        foreach (var header in Values("Link"))
        {
            for (var at = header.IndexOf('<', StringComparison.Ordinal); at >= 0; )
            {
                var end = header.IndexOf('>', at);
                if (end < 0)
                    break;
                var next = IndexOutsideQuotes(header, "<", end);
                var parameters = next < 0 ? header[(end + 1)..] : header[(end + 1)..next];
                if (HasRelation(parameters, relation))
                    return header[(at + 1)..end];
                at = next;
            }
        }

        return null;
    }

    private static bool HasRelation(string parameters, string relation)
    {
        for (var start = 0; start < parameters.Length; )
        {
            var end = IndexOutsideQuotes(parameters, ";,", start) is >= 0 and var found ? found : parameters.Length;
            var pair = parameters[start..end].Split('=', 2);
            if (pair.Length == 2 && pair[0].Trim().Equals("rel", StringComparison.OrdinalIgnoreCase))
                return pair[1].Trim().Trim('"').Split(' ').Contains(relation, StringComparer.OrdinalIgnoreCase);
            start = end + 1;
        }

        return false;
    }

    /// <summary>The first of the wanted characters outside quotes, from a position on; -1 if there is none.</summary>
    private static int IndexOutsideQuotes(string text, string wanted, int from)
    {
        var isQuoted = false;
        for (var i = from; i < text.Length; i++)
        {
            if (isQuoted && text[i] == '\\')
                i++;
            else if (text[i] == '"')
                isQuoted = !isQuoted;
            else if (!isQuoted && wanted.Contains(text[i]))
                return i;
        }

        return -1;
    }

    /// <summary>The target of a relation in a list of links in the body, each with <c>rel</c> or <c>relation</c>, as in FHIR.</summary>
    private string? LinkInBody(string relation)
    {
        foreach (var list in (string[])["link", "links"])
        {
            if (
                body.ValueKind != JsonValueKind.Object
                || !body.TryGetProperty(list, out var links)
                || links.ValueKind != JsonValueKind.Array
            )
            {
                continue;
            }

            foreach (var link in links.EnumerateArray().Where(link => link.ValueKind == JsonValueKind.Object))
            {
                if (Text(link, "rel", "relation") == relation)
                    return Text(link, "href", "url", "uri");
            }
        }

        return null;
    }

    private static string? Text(JsonElement json, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String)
                return value.GetString();
        }

        return null;
    }
}
