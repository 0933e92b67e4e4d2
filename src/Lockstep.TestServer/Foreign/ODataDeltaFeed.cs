using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// A delta query as Microsoft Graph answers it: pages with a nextLink, then a deltaLink; for a known item only the changed fields; for a
/// removed one its id and <c>@removed</c>. A list of changes, such as <c>members@delta</c>, comes in slices of at most a page's size, each
/// in an item of its own. Changes that occur during a round are on one of its later pages.
/// </summary>
internal sealed partial class ODataDeltaFeed(DialectFeedOptions options, TimeProvider time, Pulse delivered)
    : DialectFeed(FeedKind.ODataDelta, "/users/delta", options, time, delivered)
{
    private const string Delta = "$deltatoken";
    private const string Skip = "$skiptoken";

    public override string? CursorOf(HttpRequest request) =>
        request.Query[Delta].ToString() is { Length: > 0 } token ? token
        : request.Query[Skip].ToString() is { Length: > 0 } page ? page
        : null;

    public override Task ExpireAsync(HttpContext context, TestRequest log, ExpiryForm form, CancellationToken cancellationToken)
    {
        if (form == ExpiryForm.Error)
            return RefuseAsync(context, log, 400, "syncStateNotFound", "The sync state is not found.", cancellationToken);
        if (form != ExpiryForm.Gone)
            context.Response.Headers.Location = $"{Root(context)}{Path}?{Delta}=";
        return RefuseAsync(context, log, 410, "syncStateInvalid", "The delta token is too old. Start over.", cancellationToken);
    }

    private protected override Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var there = Log.Count;
        Position position;
        if (CursorOf(context.Request) is not { } token)
            position = new Position(0, 0, 0, there, Query(context, "$select") ?? "");
        else if (token == "latest")
            position = new Position(there, 0, there, there, Query(context, "$select") ?? "");
        else if (!Position.TryParse(token, out position) || position.At > there)
            return RefuseAsync(context, log, 400, "badRequest", "The token is malformed.", cancellationToken);
        var (from, at) = (position.From, position.At);
        if (at == from)
            from = at = Replay(context, at);
        // Repeated changes do not count towards the page size, so that each page makes progress.
        var size = PageSize(MaximumPageSize().Match(context.Request.Headers["Prefer"].ToString()).Groups[1].Value) + position.At - at;
        // Reading one more item than fits shows whether there is another page.
        var found = Log.Read(at, size + 1, change => Takes(change, position.Start));
        List<JsonObject> items = [];
        var (before, slice) = (at, 0);
        foreach (var change in found)
        {
            var slices = Slices(Item(change, from, position.Select));
            // If it has changed again since its first slices were sent, it comes as a whole on a later page.
            var sent = position.Slice > 0 && change.Sequence == position.At + 1 ? position.Slice : 0;
            var fit = Math.Min(slices.Count - sent, size - items.Count);
            items.AddRange(slices.Skip(sent).Take(fit));
            if (sent + fit < slices.Count)
            {
                // The rest comes on the next page, which begins with this change.
                (before, slice) = (change.Sequence - 1, sent + fit);
                break;
            }

            before = change.Sequence;
        }

        var isLast = found.Count == 0 || before == found[^1].Sequence;
        at = isLast ? Math.Max(there, before) : before;
        var (name, next) = isLast
            ? ("deltaLink", new Position(at, 0, at, at, position.Select))
            : ("nextLink", position with { At = at, Slice = slice });
        var link = $"{Root(context)}{Path}?{(isLast ? Delta : Skip)}={next}";
        return SendPageAsync(
            context,
            log,
            new JsonPage(
                $$"""{"@odata.context":"{{Root(context)}}/$metadata#{{Path.Trim('/').Split('/')[^2..][0]}}","value":[""",
                [.. items.Select(JsonBody.Write)],
                $$"""],"@odata.{{name}}":{{JsonBody.Quote(link)}}}"""
            ),
            cancellationToken
        );
    }

    /// <summary>
    /// The newest change of each record; for a record that was removed and came back, the removal in between too, or fields of its earlier
    /// state would remain.
    /// </summary>
    private static bool Takes(Change change, int start) => change.IsRemoval ? change.Sequence > start : change.Next is null;

    /// <summary>An item as several, none of which has more than a page's size of a list of changes.</summary>
    private List<JsonObject> Slices(JsonObject item)
    {
        var (key, size) = (Rules.Key[0].Field, Options.PageSize);
        List<JsonObject> slices = [item];
        foreach (var (name, value) in item.ToList())
        {
            if (!name.EndsWith(JsonBody.ChangesSuffix, StringComparison.Ordinal) || value is not JsonArray list || list.Count <= size)
                continue;
            var chunks = list.Select(element => element?.DeepClone()).Chunk(size).ToList();
            item[name] = new JsonArray(chunks[0]);
            slices.AddRange(
                chunks.Skip(1).Select(chunk => new JsonObject { [key] = item[key]?.DeepClone(), [name] = new JsonArray(chunk) })
            );
        }

        return slices;
    }

    private JsonObject Item(Change change, int from, string select)
    {
        var key = Rules.Key[0].Field;
        if (change.IsRemoval)
        {
            var gone = JsonBody.Read(change.Given);
            var removed = gone["@removed"]?.DeepClone() ?? new JsonObject { ["reason"] = "deleted" };
            return new JsonObject { [key] = gone[key]?.DeepClone(), ["@removed"] = removed };
        }

        var item = JsonBody.Read(change.Since(from));
        if (!item.ContainsKey(key))
            item.Insert(0, key, change.ToObject()[key]?.DeepClone());
        if (select.Length > 0)
        {
            var wanted = select.Split(',').Append(key).ToHashSet(StringComparer.Ordinal);
            foreach (var name in item.Select(field => field.Key).Where(name => !IsWanted(name)).ToList())
                item.Remove(name);

            bool IsWanted(string name) =>
                wanted.Contains(
                    name.EndsWith(JsonBody.ChangesSuffix, StringComparison.Ordinal) ? name[..^JsonBody.ChangesSuffix.Length] : name
                );
        }
        return item;
    }

    private protected override string RefusalOf(int status, string code, string reason) =>
        $$$"""{"error":{"code":{{{JsonBody.Quote(code)}}},"message":{{{JsonBody.Quote(reason)}}}}}""";

    [GeneratedRegex(@"odata\.maxpagesize=(\d+)")]
    private static partial Regex MaximumPageSize();

    /// <summary>What a token contains; it is opaque to clients.</summary>
    /// <param name="At">The sequence that the round has reached.</param>
    /// <param name="Slice">How many slices of the next change have been sent.</param>
    /// <param name="From">The sequence at which it started; 0 for the whole set.</param>
    /// <param name="Start">How many changes there were when it started: a whole set leaves out what had been removed by then.</param>
    /// <param name="Select">The requested fields.</param>
    private readonly record struct Position(int At, int Slice, int From, int Start, string Select)
    {
        public static bool TryParse(string token, out Position position)
        {
            position = default;
            try
            {
                var padded = token.Replace('-', '+').Replace('_', '/').PadRight((token.Length + 3) / 4 * 4, '=');
                var parts = Encoding.UTF8.GetString(Convert.FromBase64String(padded)).Split('.', 5);
                if (parts.Length < 5)
                    return false;
                position = new Position(Number(parts[0]), Number(parts[1]), Number(parts[2]), Number(parts[3]), parts[4]);
                return true;
            }
            catch (FormatException)
            {
                return false;
            }
        }

        public override string ToString() =>
            Convert
                .ToBase64String(
                    Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{At}.{Slice}.{From}.{Start}.{Select}"))
                )
                .Replace('+', '-')
                .Replace('/', '_')
                .TrimEnd('=');

        private static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
