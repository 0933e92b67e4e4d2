using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lockstep.Engine.Dialects;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Why a list may be incomplete although its dialect finds no next page; then no record missing from it may count as gone (D2).
/// </summary>
/// <param name="Reason">The evidence, as the end of a sentence.</param>
/// <param name="Keys">The key that would tell the dialect how the list continues, as a JSON member.</param>
internal sealed record MoreOfList(string Reason, string Keys)
{
    private static readonly string[] SizeParameters =
    [
        "limit",
        "_limit",
        "per_page",
        "perPage",
        "page_size",
        "pageSize",
        "maxResults",
        "max_results",
        "top",
        "$top",
        "size",
        "rows",
        "take",
        "first",
        "count",
        "page[size]",
        "page[limit]",
    ];

    private static readonly string[] PageParameters =
    [
        "page",
        "_page",
        "p",
        "pg",
        "pageNumber",
        "page_number",
        "pageNo",
        "pageNum",
        "page_num",
        "pageIndex",
        "page_index",
        "page[number]",
    ];

    private static readonly string[] OffsetParameters =
    [
        "offset",
        "_start",
        "skip",
        "$skip",
        "startAt",
        "startIndex",
        "start_index",
        "start",
        "page[offset]",
    ];

    /// <summary>A key to add to a dialect that names the next pages.</summary>
    public string Names(DialectDescription dialect) => Over(dialect, Keys);

    /// <summary>The key for a server that counts records instead of pages; null if the answer or the URI shows which one it does.</summary>
    public string? NamesByOffset(DialectDescription dialect) => IsUnnamed ? Over(dialect, NextBy("offset", "offset:")) : null;

    /// <summary>A key that declares one answer to be everything.</summary>
    public static string Whole(DialectDescription dialect) => Over(dialect, "\"Whole\": true");

    /// <summary>A dialect with one more member.</summary>
    public static string Over(DialectDescription dialect, string member) =>
        BuiltInDialects.Find(dialect.Name) is { } known ? $"{{ \"From\": \"{known.Name}\", {member} }}" : $"{{ {member} }}";

    /// <summary>The next page, if its address is obvious; null if only the user can say.</summary>
    public Uri? Next { get; init; }

    /// <summary>Whether neither the URI nor the answer shows what the server counts, so that <see cref="Keys"/> are a guess.</summary>
    public bool IsUnnamed { get; init; }

    /// <summary>Whether the answer links to it.</summary>
    public bool IsLink { get; init; }

    /// <summary>The evidence that the list continues after an answer; null if there is none.</summary>
    /// <param name="rules">How the answer was read.</param>
    /// <param name="places">The answer.</param>
    /// <param name="asked">The address of the request.</param>
    /// <param name="page">How many items it had.</param>
    /// <param name="soFar">How many items the round has brought, including those; null if unknown.</param>
    /// <param name="pages">How many answers the round has brought, including this one.</param>
    /// <param name="isLinked">Whether a page of the round linked to its next one, so that one without a link is the last.</param>
    /// <param name="resolve">Turns a link from the answer into an address, or throws.</param>
    public static MoreOfList? Find(
        DialectRules rules,
        ResponsePlaces places,
        Uri asked,
        int page,
        long? soFar,
        int pages,
        bool isLinked,
        Func<string, Uri> resolve
    )
    {
        var signs = ListSigns.Read(places);
        var guessed = IsGuessed(rules.NextUrl);
        if (guessed && signs.Next is { } link)
        {
            return new MoreOfList($"'{link.Place}' links to a next page", $"\"Next\": {Quote(link.Place)}")
            {
                Next = resolve(link.Link),
                IsLink = true,
            };
        }

        if (guessed && signs.Token is { } token)
            return new MoreOfList($"'{token.Place}' names a next page", NextBy(token.Parameter, token.Place));

        var query = Parameters(asked);
        var reason =
            signs.Total is { } total && soFar < total.Count
                ? string.Create(CultureInfo.InvariantCulture, $"'{total.Place}' announces {total.Count} records, but {soFar} came")
            : signs.More is { } flag ? $"'{flag}' says that more follow"
            : signs.Pages is { } all && soFar is not null && pages < all.Count
                ? string.Create(CultureInfo.InvariantCulture, $"'{all.Place}' announces {all.Count} pages, but {pages} came")
            : places.Status == 206 && signs.Total is null ? "the server says that it is a part (206 Partial Content)"
            : !guessed || pages > 1 ? null
            : StartsLater(query) is { } later ? $"the URI asks only for what begins at '{later}'"
            : null;
        if (reason is null && guessed && !signs.SaysEnd && signs.Total is null)
        {
            var size =
                Size(query) is { } wanted ? wanted
                : signs.Size is { } said ? ("the answer", said)
                : ((string, long)?)null;
            if (size is ({ } name, > 0 and var largest) && page >= largest)
            {
                reason = string.Create(
                    CultureInfo.InvariantCulture,
                    $"a page may have {largest} records by {(name == "the answer" ? name : $"'{name}'")}, and {page} came, "
                        + $"so there may be more"
                );
            }
        }

        var counted = guessed && page > 0 ? Counted(query, asked, page, pages) : null;
        if (reason is null && !isLinked && counted is { } behind && !SaysEnd(signs, query, page, soFar, pages))
        {
            return new MoreOfList(
                $"the URI asks for one page, '{behind.Asked}', and nothing says that it is the last",
                Suggest(query, signs)
            )
            {
                Next = behind.Next,
            };
        }

        return reason is null
            ? null
            : new MoreOfList(reason, Suggest(query, signs)) { Next = counted?.Next, IsUnnamed = Seen(query, signs) is null };
    }

    /// <summary>The key to suggest if no parameter of the URI counts pages.</summary>
    public static string ByPage => NextBy("page", "page:");

    /// <summary>Whether a page counted by the URI is known to be the last; the page after the last is empty.</summary>
    private static bool SaysEnd(ListSigns signs, Dictionary<string, string> query, int page, long? soFar, int pages)
    {
        if (signs.SaysEnd || signs.Pages is not null)
            return true;
        // The first page alone does not show whether a total counts the list or the page, as some servers do.
        if (signs.Total is { } total)
            return total.Count == soFar && (pages > 1 || !signs.MayCountThePage);
        // Servers cap the page size: a page that is not full means something only if those before it were full.
        return pages > 1 && Size(query) is { Size: > 0 and var size } && page < size && soFar - page == size * (pages - 1);
    }

    private static string NextBy(string parameter, string place) => $"\"Next\": {{ {Quote(parameter)}: {Quote(place)} }}";

    /// <summary>A server's field names are data.</summary>
    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    /// <summary>Whether nobody has said how the list continues, and only the usual places of links are known.</summary>
    private static bool IsGuessed(IReadOnlyList<Place> places) =>
        places.Select(place => place.Text).SequenceEqual(BuiltInDialects.Find("Rest")!.Snapshot.NextUrl.Select(place => place.Text));

    /// <summary>The next page by the parameter of the user's own URI that counts them, if that started with the first page.</summary>
    private static (Uri Next, string Asked)? Counted(Dictionary<string, string> query, Uri asked, int page, int pages)
    {
        foreach (var name in PageParameters)
        {
            // The first page is 0 or 1, and each answer of the round was one page.
            if (Value(query, name) is { } number && number - (pages - 1) is 0 or 1)
                return (With(asked, name, number + 1), $"{name}={number}");
        }

        foreach (var name in OffsetParameters)
        {
            if (Value(query, name) is { } number && (number is 0 or 1 || pages > 1))
                return (With(asked, name, number + page), $"{name}={number}");
        }

        return null;
    }

    private static Uri With(Uri uri, string name, long value) =>
        DialectRequests.With(uri, name, value.ToString(CultureInfo.InvariantCulture), replaces: true);

    private static string? StartsLater(Dictionary<string, string> query) =>
        PageParameters.Concat(OffsetParameters).FirstOrDefault(name => Value(query, name) > 1) is { } name ? $"{name}={query[name]}" : null;

    private static (string Name, long Size)? Size(Dictionary<string, string> query) =>
        SizeParameters.Select(name => (name, Value(query, name))).FirstOrDefault(pair => pair.Item2 is not null) is ({ } found, { } size)
            ? (found, size)
            : null;

    /// <summary>What the dialect could declare, given what the URI or the answer already shows.</summary>
    private static string Suggest(Dictionary<string, string> query, ListSigns signs) => Seen(query, signs) ?? ByPage;

    /// <summary>What the URI or the answer shows about how the list continues; null if nothing.</summary>
    private static string? Seen(Dictionary<string, string> query, ListSigns signs) =>
        PageParameters.FirstOrDefault(query.ContainsKey) is { } page ? NextBy(page, "page:")
        : OffsetParameters.FirstOrDefault(query.ContainsKey) is { } offset ? NextBy(offset, "offset:")
        : signs.Offset is { } said ? NextBy(said, "offset:")
        : query.ContainsKey("limit") ? NextBy("offset", "offset:")
        : null;

    private static long? Value(Dictionary<string, string> query, string name) =>
        query.TryGetValue(name, out var text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    private static Dictionary<string, string> Parameters(Uri uri)
    {
        var parameters = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            parameters[Uri.UnescapeDataString(parts[0].Replace('+', ' '))] = parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "";
        }

        return parameters;
    }
}
