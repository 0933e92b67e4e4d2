using System.Globalization;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Where a round goes from a page: to the next one, by its link or by counting, and to which cursor. One thread at a time.
/// </summary>
internal sealed class PageLinks(DialectSession session)
{
    /// <summary>Parameters that count pages or records, letters only; any that ends in "offset" is one too.</summary>
    private static readonly string[] Counting =
    [
        "page",
        "pagenumber",
        "pageno",
        "pageindex",
        "pagestart",
        "currentpage",
        "skip",
        "start",
        "startat",
        "startindex",
        "startrow",
        "startrecord",
        "startposition",
        "first",
        "firstresult",
    ];

    private readonly HashSet<Uri> _asked = [];

    /// <summary>Whether a page was named by the number of records before it, so that records may move between pages.</summary>
    public bool AreCounted { get; private set; }

    /// <summary>
    /// Whether a page of records in the order of their changes was requested by its number, because one instant filled the page before.
    /// </summary>
    public bool WentByNumber { get; private set; }

    /// <summary>Whether the page that is asked for is one that the server named by a link or a token.</summary>
    public bool WasNamed { get; private set; }

    /// <summary>The pages requested in this round.</summary>
    public IReadOnlySet<Uri> AllAsked => _asked;

    /// <summary>This page is asked for.</summary>
    public void Asked(Uri page) => _asked.Add(page);

    /// <summary>Whether a page has been asked for in this round.</summary>
    public bool HasAsked(Uri page) => _asked.Contains(page);

    /// <summary>The pages are requested a second time.</summary>
    public void Forget() => _asked.Clear();

    /// <summary>The cursor from which the page says the feed can continue; null if it says nothing.</summary>
    public string? CursorOf(DialectRules rules, Page page, Uri target)
    {
        var text =
            rules.Cursor.Select(place => page.Places.Find(place)?.Text).FirstOrDefault(found => !string.IsNullOrEmpty(found)) ?? page.LastCursor;
        if (text is null || session.Dialect.CursorIsParameter)
            return text;
        var uri = session.Requests.Own(text, target);
        // Some servers leave "from now on" in the link to what comes next, which would then be nothing forever.
        return DialectRequests.Without(DialectRequests.Without(uri, "token", "latest"), "$deltatoken", "latest").AbsoluteUri;
    }

    /// <summary>The next page; null if the page names none.</summary>
    public Uri? NextOf(DialectRules rules, Page page, Uri target)
    {
        WasNamed = false;
        if (page.IsUpToDate)
            return null;
        foreach (var place in rules.NextUrl)
        {
            if (page.Places.Find(place) is { Kind: JsonKind.None or JsonKind.String, Text: { } link })
            {
                var uri = session.Requests.Own(link, target);
                AreCounted |= IsCounted(uri);
                WasNamed = true;
                return uri;
            }
        }

        Uri? next = null;
        foreach ((var name, var place) in rules.NextParameters)
        {
            var value =
                place.Kind == PlaceKind.Count ? Count(place, name, page.Count, target)
                : place.IsOfItems
                    ? page.Count > 0 ? session.Writer.Items.NextValues.GetValueOrDefault(name)
                        : null
                : page.Places.Find(place)?.Text;
            if (value is null)
                continue;
            next = DialectRequests.With(next ?? target, name, value, replaces: true);
            WasNamed |= place.Kind != PlaceKind.Count && !place.IsOfItems;
            AreCounted |= place.Kind == PlaceKind.Count || IsCounted([name, value]);
        }

        return next;
    }

    /// <summary>
    /// Of records in the order of their changes, those after a page move up when one before them changes: the next page is requested by the
    /// largest value, and by its number only within one instant that fills a page (D17).
    /// </summary>
    public Uri InsteadOfCounting(DialectRules rules, RequestKind kind, Uri next, MaximumCursor? maximum)
    {
        if (kind != RequestKind.Changes || !rules.IsAscending || maximum is not { IsAscending: true, Largest: { } largest } || !AreCounted)
            return next;
        var instead = session.Requests.Address(rules, largest);
        if (!_asked.Contains(instead))
        {
            WasNamed = false;
            return instead;
        }

        WentByNumber = true;
        return next;
    }

    /// <summary>A next page that no link names.</summary>
    public void NoteGuess(Uri next) => AreCounted |= IsCounted(next);

    /// <summary>
    /// If items come in the order of their changes, the rest is what is above the largest value; null if that was requested.
    /// </summary>
    public Uri? AfterLargest(DialectRules rules, RequestKind kind, MaximumCursor? maximum)
    {
        if (kind != RequestKind.Changes || !rules.IsAscending || maximum is not { IsAscending: true, Largest: { } largest })
            return null;
        var next = session.Requests.Address(rules, largest);
        return _asked.Contains(next) ? null : next;
    }

    private static string? Count(Place place, string name, int items, Uri target)
    {
        if (items == 0)
            return null;
        var query = target.Query.TrimStart('?').Split('&').Select(pair => pair.Split('=', 2));
        var now =
            query.FirstOrDefault(pair => Uri.UnescapeDataString(pair[0]) == name) is [_, var text] && long.TryParse(text, out var number)
                ? number
            : place.Name == "page" ? 1
            : 0;
        return (place.Name == "page" ? now + 1 : now + items).ToString(CultureInfo.InvariantCulture);
    }

    private static bool IsCounted(Uri uri) => uri.Query.TrimStart('?').Split('&').Any(pair => IsCounted(pair.Split('=', 2)));

    /// <summary>Whether a parameter gives the number of records before the page; a token only marks where it begins.</summary>
    private static bool IsCounted(string[] pair)
    {
        var name = string.Concat(Uri.UnescapeDataString(pair[0]).Where(char.IsAsciiLetter)).ToLowerInvariant();
        return pair is [_, { Length: > 0 } value]
            && value.All(char.IsAsciiDigit)
            && (Counting.Contains(name) || name.EndsWith("offset", StringComparison.Ordinal));
    }
}
