using System.Globalization;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Where a round continues after a page: the next page, by its link or by counting, and the cursor. One thread at a time.
/// </summary>
internal sealed class PageLinks(DialectSession session)
{
    /// <summary>Parameters that count pages or records, letters only; so does any that ends in "offset".</summary>
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

    /// <summary>Whether a page was requested by the number of records before it, so that records may move between pages.</summary>
    public bool AreCounted { get; private set; }

    /// <summary>
    /// Whether a page of records in order of change was requested by number, because a single instant filled the page before.
    /// </summary>
    public bool WentByNumber { get; private set; }

    /// <summary>Whether the requested page is one that the server named by a link or a token.</summary>
    public bool WasNamed { get; private set; }

    /// <summary>The pages requested in this round.</summary>
    public IReadOnlySet<Uri> AllAsked => _asked;

    /// <summary>Notes that a page is being requested.</summary>
    public void Asked(Uri page) => _asked.Add(page);

    /// <summary>Whether a page has been requested in this round.</summary>
    public bool HasAsked(Uri page) => _asked.Contains(page);

    /// <summary>Allows the pages to be requested a second time.</summary>
    public void Forget() => _asked.Clear();

    /// <summary>The cursor from which the page says the feed can continue; null if it does not say.</summary>
    public string? CursorOf(DialectRules rules, Page page, Uri target)
    {
        var text =
            rules.Cursor.Select(place => page.Places.Find(place)?.Text).FirstOrDefault(found => !string.IsNullOrEmpty(found))
            ?? page.LastCursor;
        if (text is null || session.Dialect.CursorIsParameter)
            return text;
        var uri = session.Requests.Own(text, target);
        // Some servers leave "from now on" in the link to what comes next, which would then return nothing forever.
        return DialectRequests.WithoutLatest(uri).AbsoluteUri;
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
    /// When records are in order of change, those after a page move up when one before them changes. So the next page is requested by the
    /// largest value, and by number only within a single instant that fills a page (D17).
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

    /// <summary>Notes a next page that no link names.</summary>
    public void NoteGuess(Uri next) => AreCounted |= IsCounted(next);

    /// <summary>
    /// If items arrive in order of change, the rest is what is above the largest value; null if that was already requested.
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

    /// <summary>Whether a parameter counts the records before the page; a token only marks where the page starts.</summary>
    private static bool IsCounted(string[] pair)
    {
        var name = string.Concat(Uri.UnescapeDataString(pair[0]).Where(char.IsAsciiLetter)).ToLowerInvariant();
        return pair is [_, { Length: > 0 } value]
            && value.All(char.IsAsciiDigit)
            && (Counting.Contains(name) || name.EndsWith("offset", StringComparison.Ordinal));
    }
}
