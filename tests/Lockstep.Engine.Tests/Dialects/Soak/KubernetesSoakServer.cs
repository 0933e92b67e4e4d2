using System.Globalization;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>Lists in pages of one version, and watches that end, break, expire and fall silent.</summary>
internal sealed class KubernetesSoakServer : SoakServer
{
    private readonly Dictionary<string, (long Version, string[] Items)> _lists = [];
    private readonly Dictionary<long, string> _events = [];
    private int _lastList;
    private long _compacted;

    public KubernetesSoakServer(int seed)
        : base(seed) => Source.Changed = change => _events[change.Version] = Event(change);

    public override string Path => "api/v1/pods";

    public override string Dialect => "Kubernetes";

    public override bool IsFollowed => true;

    public override IEnumerable<string> Expected()
    {
        base.Expected();
        return [.. Source.Live.Select(pair => Pod(pair.Key, pair.Value, isTyped: true))];
    }

    protected override void Befall()
    {
        if (Random.Next(12) == 0)
            _compacted = Source.Version - Random.Next(3);
    }

    protected override SoakAnswer Answer(SoakRequest request)
    {
        return request["watch"] is null
            ? ListPage(request)
            : Watch(long.Parse(request["resourceVersion"] ?? "0", CultureInfo.InvariantCulture));
    }

    private SoakAnswer ListPage(SoakRequest request)
    {
        var isFirst = request["continue"] is null;
        if (!isFirst && Chance(5))
            return new SoakAnswer("""{"kind":"Status","reason":"Expired","metadata":{"continue":"t"}}""", "", "410 Gone");
        (long Version, string[] Items) list = isFirst
            ? (Source.Version, Shuffled(Source.Live.Select(pair => Pod(pair.Key, pair.Value, isTyped: false))))
            : _lists[request["continue"]!];
        var size = request["limit"] is null ? int.MaxValue : Random.Next(1, 20);
        var more = "";
        if (list.Items.Length > size)
        {
            var token = (++_lastList).ToString(CultureInfo.InvariantCulture);
            _lists[token] = (list.Version, list.Items[size..]);
            more = $",\"continue\":\"{token}\"";
        }

        return new SoakAnswer(
            $$"""{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"{{list.Version}}"{{more}}}"""
                + $$""","items":[{{List(list.Items.Take(size))}}]}"""
                + "\n",
            "Content-Type: application/json\r\n"
        );
    }

    private SoakAnswer Watch(long version)
    {
        const string Gone = """{"kind":"Status","code":410,"reason":"Expired"}""";
        if (version < _compacted)
        {
            return Random.Next(3) switch
            {
                0 => new SoakAnswer(Gone, "Content-Type: application/json\r\n", "410 Gone"),
                1 => Lines(["{\"type\":\"ERROR\",\"object\":" + Gone + "}\n", null]),
                // One that ends at once without content, as some servers do for events.
                _ => Lines([null]),
            };
        }

        if (Chance(10))
            return Lines(["""{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd is busy"}}""" + "\n", null]);
        var at = version;
        var left = Random.Next(1, 8);
        return new SoakAnswer("", "Content-Type: application/json\r\n")
        {
            More = () =>
            {
                if (!IsQuiet)
                    Source.Change(2);
                var text = After(at);
                at = Source.Version;
                if (text.Length == 0 && (IsQuiet || Chance(2)))
                    text = Bookmark(at);
                if (IsQuiet)
                {
                    return left-- == 0 ? null
                        : left < 0 ? ""
                        : text;
                }
                return left-- <= 0 ? null
                    : text.Length == 0 ? "\n"
                    : text;
            },
        };
    }

    private static SoakAnswer Lines(string?[] lines)
    {
        var at = 0;
        return new SoakAnswer("", "Content-Type: application/json\r\n") { More = () => lines[at++] };
    }

    private string After(long version) =>
        string.Concat(Source.Log.Where(change => change.Version > version).Select(change => _events[change.Version]));

    private string Event(SoakChange change)
    {
        if (change.IsGone)
        {
            var gone = $"{{\"uid\":\"{change.Key}\",\"resourceVersion\":\"{change.Version}\"}}";
            return $"{{\"type\":\"DELETED\",\"object\":{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{gone}}}}}\n";
        }

        var type = Random.Next(2) == 0 ? "ADDED" : "MODIFIED";
        return $"{{\"type\":\"{type}\",\"object\":{Pod(change.Key, Source.Live[change.Key], isTyped: true)}}}\n";
    }

    private static string Bookmark(long version) =>
        $$$"""{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"{{{version}}}"}""" + "}}\n";

    private static string Pod(string key, SoakRecord record, bool isTyped)
    {
        var type = isTyped ? "\"kind\":\"Pod\",\"apiVersion\":\"v1\"," : "";
        return $"{{{type}\"metadata\":{{\"uid\":\"{key}\",\"resourceVersion\":\"{record.Version}\"}}{record.Since(0)}}}";
    }
}
