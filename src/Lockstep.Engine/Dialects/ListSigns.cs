using System.Globalization;
using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>What an answer says about the list it is part of, by names that many servers use although no dialect declares them.</summary>
internal sealed class ListSigns
{
    /// <summary>How deep within the answer to look for signs.</summary>
    private const int Depth = 4;

    /// <summary>The objects that hold such signs, besides the answer itself; elsewhere these names are data.</summary>
    private static readonly HashSet<string> Holders =
    [
        "meta",
        "metadata",
        "pagination",
        "paging",
        "page",
        "pages",
        "pageinfo",
        "pagingmetadata",
        "info",
        "links",
        "cursor",
        "cursors",
        "responsemetadata",
        "searchmetadata",
        "resultset",
        "result",
        "results",
        "response",
        "data",
        "hits",
        "d",
        "feed",
        "list",
        "next",
    ];

    private static readonly HashSet<string> Totals =
    [
        "total",
        "totalcount",
        "totalresults",
        "totalitems",
        "totalsize",
        "totalelements",
        "totalrecords",
        "totalhits",
        "totalrows",
        "totalentries",
        "totalobjects",
        "totalrecordcount",
        "count",
        "odatacount",
        "numfound",
        "numberofresults",
        "recordcount",
        "recordstotal",
        "resultcount",
        "itemcount",
        "fullcount",
        "xtotalcount",
    ];

    private static readonly HashSet<string> PageCounts = ["totalpages", "pagecount", "pages", "lastpage", "numpages", "totalpagecount"];

    private static readonly HashSet<string> Links =
    [
        "next",
        "nextpage",
        "nexturl",
        "nexturi",
        "nextlink",
        "nexthref",
        "nextpageurl",
        "nextpageuri",
        "nextpagelink",
        "odatanextlink",
        "nextrecordsurl",
    ];

    private static readonly HashSet<string> Tokens =
    [
        "nextpagetoken",
        "nexttoken",
        "nextcursor",
        "nextmarker",
        "nextcontinuationtoken",
        "nextcontinuation",
        "continuationtoken",
        "continuation",
        "nextoffset",
        "nextstart",
        "nextstartat",
        "nextkey",
        "nextpagenumber",
    ];

    private static readonly HashSet<string> MoreFlags =
    [
        "hasmore",
        "hasnext",
        "hasnextpage",
        "hasmoreitems",
        "hasmoreresults",
        "hasmorerecords",
        "more",
        "moreitems",
        "moreresults",
        "morerecords",
        "moreavailable",
        "istruncated",
        "truncated",
        "incompleteresults",
        "ispartial",
    ];

    private static readonly HashSet<string> EndFlags =
    [
        "last",
        "islast",
        "lastpage",
        "islastpage",
        "endofrecords",
        "isend",
        "done",
        "isdone",
        "complete",
        "iscomplete",
    ];

    private static readonly HashSet<string> Sizes = ["limit", "perpage", "pagesize", "itemsperpage", "maxresults", "size"];

    /// <summary>Totals by which some servers mean the number of records on the page.</summary>
    private static readonly HashSet<string> CountsOfPage = ["count", "resultcount", "itemcount", "recordcount", "numberofresults"];

    private static readonly HashSet<string> Offsets = ["offset", "skip", "start", "startat", "startindex", "startrow", "firstresult"];

    /// <summary>How many records the list has, and the place that says so; null if nothing does.</summary>
    public (long Count, string Place)? Total { get; private set; }

    /// <summary>Whether <see cref="Total"/> is in a place where some servers put the number of records on the page.</summary>
    public bool MayCountThePage { get; private set; }

    /// <summary>The field with the number of records before the page; parameters have the same name.</summary>
    public string? Offset { get; private set; }

    /// <summary>How many pages the list has, and the place that says so.</summary>
    public (long Count, string Place)? Pages { get; private set; }

    /// <summary>A link to the next page, and its place.</summary>
    public (string Link, string Place)? Next { get; private set; }

    /// <summary>A token for the next page that is not a link: its place, and the likely name of the parameter.</summary>
    public (string Place, string Parameter)? Token { get; private set; }

    /// <summary>The place of a flag that says there is more.</summary>
    public string? More { get; private set; }

    /// <summary>The largest page size that the answer allows.</summary>
    public long? Size { get; private set; }

    /// <summary>Whether it says that this is the last page, or would have said so if it were not.</summary>
    public bool SaysEnd { get; private set; }

    /// <summary>Reads the signs of an answer.</summary>
    public static ListSigns Read(ResponsePlaces places)
    {
        var signs = new ListSigns();
        signs.ReadHeaders(places);
        if (places.Body.ValueKind == JsonValueKind.Object)
            signs.ReadObject(places.Body, "", depth: 0);
        return signs;
    }

    private void ReadHeaders(ResponsePlaces places)
    {
        foreach (
            var name in (string[])["X-Total-Count", "X-Total", "X-WP-Total", "Total-Count", "X-Pagination-Total-Count", "X-Total-Results"]
        )
        {
            if (Number(places.Header(name)) is { } total)
                Total ??= (total, "header:" + name);
        }

        foreach (var name in (string[])["X-Total-Pages", "X-WP-TotalPages", "X-Pagination-Page-Count"])
        {
            if (Number(places.Header(name)) is { } pages)
                Pages ??= (pages, "header:" + name);
        }

        // "items 0-24/319"; in bytes it says nothing about records.
        if (
            places.Header("Content-Range") is { } range
            && !range.StartsWith("bytes", StringComparison.OrdinalIgnoreCase)
            && range.Split('/') is [_, var last]
            && Number(last) is { } all
        )
        {
            Total ??= (all, "header:Content-Range");
        }

        NoteToken("header:X-Next-Page", "page", places.Header("X-Next-Page"));
        NoteToken("header:x-ms-continuation", "continuationToken", places.Header("x-ms-continuation"));
        string? Relation(string name) => places.Find(Place.Parse("link:" + name))?.Text;
        var (head, tail, previous) = (Relation("first"), Relation("last"), Relation("prev") ?? Relation("previous"));
        // A server that links pages would have linked the next one if there were one.
        if (tail is not null && previous is null && tail != head)
            More ??= "link:last";
        else if (tail is not null || previous is not null || head is not null)
            SaysEnd = true;
    }

    private void ReadObject(JsonElement json, string at, int depth)
    {
        foreach (var pair in json.EnumerateObject())
        {
            var name = Plain(pair.Name);
            var place = depth == 0 ? pair.Name : at + "/" + Escape(pair.Name);
            if (pair.Value.ValueKind == JsonValueKind.Object)
            {
                if (depth < Depth && Holders.Contains(name))
                    ReadObject(pair.Value, at + "/" + Escape(pair.Name), depth + 1);
                if (Links.Contains(name))
                    ReadLink(pair.Value, at + "/" + Escape(pair.Name));
                continue;
            }

            ReadValue(name, pair.Name, pair.Value, place);
        }
    }

    private void ReadValue(string name, string field, JsonElement value, string place)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.True or JsonValueKind.False when MoreFlags.Contains(name) || EndFlags.Contains(name):
                if (value.GetBoolean() == MoreFlags.Contains(name))
                    More ??= place;
                else
                    SaysEnd = true;
                break;
            case JsonValueKind.Null or JsonValueKind.False when Links.Contains(name) || Tokens.Contains(name):
                SaysEnd = true;
                break;
            case JsonValueKind.Number or JsonValueKind.String when Number(Text(value)) is { } number:
                if (Totals.Contains(name) && !(Total?.Count >= number))
                    (Total, MayCountThePage) = ((number, place), CountsOfPage.Contains(name));
                else if (PageCounts.Contains(name))
                    Pages ??= (number, place);
                else if (Sizes.Contains(name))
                    Size ??= number;
                else if (Offsets.Contains(name))
                    Offset ??= field;
                else if (Tokens.Contains(name) || Links.Contains(name))
                    NoteToken(place, Parameter(field), Text(value));
                break;
            case JsonValueKind.String when Links.Contains(name) && IsLink(value.GetString()!):
                Next ??= (value.GetString()!, place);
                break;
            case JsonValueKind.String when Links.Contains(name) || Tokens.Contains(name) || name == "offset":
                NoteToken(place, Parameter(field), value.GetString());
                break;
        }
    }

    /// <summary>A link that is an object with its address in it.</summary>
    private void ReadLink(JsonElement link, string at)
    {
        foreach (var pair in link.EnumerateObject().Where(pair => pair.Value.ValueKind == JsonValueKind.String))
        {
            if (Plain(pair.Name) is "href" or "url" or "uri" or "link" && IsLink(pair.Value.GetString()!))
                Next ??= (pair.Value.GetString()!, at + "/" + Escape(pair.Name));
            else if (Plain(pair.Name) is "after" or "cursor" or "token")
                NoteToken(at + "/" + Escape(pair.Name), pair.Name, pair.Value.GetString());
        }
    }

    private void NoteToken(string place, string parameter, string? value)
    {
        if (value is { Length: > 0 })
            Token ??= (place, parameter);
        else if (value is not null)
            SaysEnd = true;
    }

    private static bool IsLink(string text) =>
        text.StartsWith('/')
        || text.StartsWith('?')
        || text.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
        || text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    /// <summary>The name of the parameter that takes a field's value: <c>pageToken</c> for <c>nextPageToken</c>.</summary>
    private static string Parameter(string field)
    {
        var rest = field.StartsWith("next", StringComparison.OrdinalIgnoreCase) ? field[4..].TrimStart('_', '-') : field;
        return rest.Length == 0 ? "cursor" : char.ToLowerInvariant(rest[0]) + rest[1..];
    }

    private static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static string Plain(string name) => string.Concat(name.Where(char.IsAsciiLetter)).ToLowerInvariant();

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    private static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
}
