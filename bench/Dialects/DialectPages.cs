using System.Globalization;
using System.Text;

namespace Lockstep.Bench.Dialects;

/// <summary>The prerendered answers of a dialect's server: items from 0 on in pages, the last of which says that this is all.</summary>
internal sealed class DialectPages
{
    /// <summary>The dialects, and the path at which a server of each has its feed.</summary>
    public static readonly IReadOnlyDictionary<string, string> Feeds = new Dictionary<string, string>
    {
        ["ODataDelta"] = "/v1.0/users/delta",
        ["Rest"] = "/items",
        ["Kubernetes"] = "/api/v1/pods",
        ["CouchDb"] = "/db/_changes",
        ["EventStream"] = "/events",
        ["Shape"] = "/v1/shape?table=items",
        ["DurableStream"] = "/v1/stream/items",
    };

    private const int PageSize = 1000;
    private static readonly string[] Positions = ["$skiptoken=", "after=", "continue=", "since=", "offset="];

    private readonly string _dialect;
    private readonly int _items;
    private readonly string _root;
    private readonly byte[][] _pages;

    public DialectPages(string dialect, int items, string root)
    {
        (_dialect, _items, _root) = (dialect, items, root);
        var size = dialect == "EventStream" ? items : PageSize;
        _pages =
        [
            .. Enumerable.Range(0, (items + size - 1) / size).Select(page => Render(page * size, Math.Min(items, (page + 1) * size))),
        ];
    }

    /// <summary>The answer to a request: its headers, each with its line break, and its body.</summary>
    public (string Headers, ReadOnlyMemory<byte> Body) Answer(string target)
    {
        if (_dialect == "CouchDb" && !target.Contains("_changes", StringComparison.Ordinal))
            return ("", Encoding.UTF8.GetBytes("""{"instance_start_time":"1","purge_seq":0}"""));
        var from = Position(Uri.UnescapeDataString(target));
        var (index, end) = _dialect == "EventStream" ? (from == 0 ? 0 : 1, _items) : (from / PageSize, Math.Min(_items, from + PageSize));
        var isLast = end == _items;
        var body = index < _pages.Length ? _pages[index] : Render(_items, _items);
        return _dialect switch
        {
            "Rest" => (isLast ? "" : $"Link: <{_root}/items?after={end}>; rel=\"next\"\r\n", body),
            "EventStream" => ("Content-Type: text/event-stream\r\n", body),
            "Shape" => ($"electric-handle: h\r\nelectric-offset: {end}_0\r\n{(isLast ? "electric-up-to-date: \r\n" : "")}", body),
            "DurableStream" => ($"Stream-Next-Offset: {end:D9}\r\n{(isLast ? "Stream-Up-To-Date: true\r\n" : "")}", body),
            _ => ("", body),
        };
    }

    private static int Position(string target)
    {
        if (target.Contains("$deltatoken=", StringComparison.Ordinal))
            return int.MaxValue - PageSize;
        foreach (var name in Positions)
        {
            var at = target.IndexOf(name, StringComparison.Ordinal);
            if (at < 0)
                continue;
            var digits = target[(at + name.Length)..].TakeWhile(char.IsAsciiDigit).ToArray();
            return digits.Length == 0 ? 0 : int.Parse(digits, CultureInfo.InvariantCulture);
        }

        return 0;
    }

    private byte[] Render(int from, int to)
    {
        var text = new StringBuilder();
        var (head, separator, tail) = _dialect switch
        {
            "ODataDelta" => (
                $$"""{"@odata.context":"{{_root}}/v1.0/$metadata#users","value":[""",
                ",",
                to >= _items
                    ? $$"""],"@odata.deltaLink":"{{_root}}/v1.0/users/delta?$deltatoken=end"}"""
                    : $$"""],"@odata.nextLink":"{{_root}}/v1.0/users/delta?$skiptoken={{to}}"}"""
            ),
            "Kubernetes" => (
                $$$"""{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"{{{Continue(to)}}}},"items":[""",
                ",",
                "]}"
            ),
            "CouchDb" => ("{\"results\":[\n", ",\r\n", $"\n],\n\"last_seq\":\"{to}-x\",\"pending\":{_items - to}}}\n"),
            "EventStream" => ("", "", ""),
            _ => ("[", ",", "]"),
        };
        text.Append(head);
        for (var i = from; i < to; i++)
            text.Append(i > from ? separator : "").Append(Item(i));
        return Encoding.UTF8.GetBytes(text.Append(tail).ToString());
    }

    private string Continue(int to) => to >= _items ? "" : $",\"continue\":\"{to}\"";

    private string Item(int i)
    {
        var fields =
            $"\"displayName\":\"User {i}\",\"mail\":\"user{i}@contoso.com\",\"department\":\"Department {i % 17}\","
            + $"\"accountEnabled\":{(i % 3 > 0 ? "true" : "false")},"
            + $"\"createdDateTime\":\"2026-01-{(i % 28) + 1:D2}T08:00:00Z\",\"n\":{i}";
        var record = $"{{\"id\":\"u{i:D7}\",{fields}}}";
        return _dialect switch
        {
            "Kubernetes" => $"{{\"metadata\":{{\"name\":\"p{i}\",\"namespace\":\"d\",\"uid\":\"u{i:D7}\",\"resourceVersion\":\"{i}\"}},"
                + $"\"spec\":{{{fields}}}}}",
            "CouchDb" => $"{{\"seq\":\"{i + 1}-x\",\"id\":\"u{i:D7}\",\"changes\":[{{\"rev\":\"1-a\"}}],"
                + $"\"doc\":{{\"_id\":\"u{i:D7}\",\"_rev\":\"1-a\",{fields}}}}}",
            "Shape" =>
                $"{{\"key\":\"\\\"public\\\".\\\"items\\\"/\\\"{i}\\\"\",\"value\":{record},\"headers\":{{\"operation\":\"insert\"}}}}",
            "EventStream" => $"id: {i + 1}\ndata: {record}\n\n",
            _ => record,
        };
    }
}
