using System.Globalization;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>
/// What was updated since a time: to the second, with late writers, in pages by number between which records move, in order or in none, and
/// perhaps on a clock that is 14 hours off the one in the server's head.
/// </summary>
internal sealed class SinceSoakServer : SoakServer
{
    private readonly Dictionary<string, (long Version, DateTimeOffset At)> _stamps = [];
    private readonly TimeSpan _skew;
    private readonly bool _isOrdered;
    private readonly int _size;
    private DateTimeOffset _now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    public SinceSoakServer(int seed)
        : base(seed)
    {
        Source.Deletes = seed % 5 == 4;
        _skew = TimeSpan.FromHours(seed % 3 * 14 - 14);
        _isOrdered = seed / 3 % 2 == 0;
        _size = 2 + seed % 11;
    }

    protected override bool HasDate => false;

    /// <summary>An old page among new ones lacks what has moved to its place.</summary>
    protected override bool IsCached => false;

    public override string Path => "issues";

    public override string Dialect =>
        "{ \"From\": \"Rest\", \"Cursor\": \"max:updated_at\", \"Next\": { \"page\": \"page:\" }, \"Deleted\": { \"state\": \"gone\" },"
        + $"\"Ascending\": {(_isOrdered ? "true" : "false")},"
        + "\"Changes\": { \"Query\": { \"since\": \"{cursor}\" } } }";

    public override IEnumerable<string> Expected()
    {
        base.Expected();
        Stamp();
        return [.. Source.Live.Select(pair => Render(pair.Key))];
    }

    protected override void Befall() => _now += TimeSpan.FromMilliseconds(Random.Next(3) == 0 ? Random.Next(90_000) : Random.Next(900));

    protected override SoakAnswer Answer(SoakRequest request)
    {
        Stamp();
        var since = request["since"] is { } text ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture) : DateTimeOffset.MinValue;
        var all = _stamps.Where(pair => pair.Value.At >= since && (request["since"] is not null || Source.Live.ContainsKey(pair.Key)));
        // A server without an order of its own returns the newest first, or any order.
        var keys = (_isOrdered ? all.OrderBy(pair => pair.Value.At) : all.OrderByDescending(pair => pair.Value.Version)).ThenBy(pair =>
            pair.Key
        );
        var page = int.Parse(request["page"] ?? "1", CultureInfo.InvariantCulture);
        return new SoakAnswer(
            $"[{List(keys.Skip((page - 1) * _size).Take(_size).Select(pair => Render(pair.Key)))}]",
            string.Create(CultureInfo.InvariantCulture, $"Content-Type: application/json\r\nDate: {_now:R}\r\n")
        );
    }

    /// <summary>What changed gets its time, which a writer may have taken a while before anybody could see the record.</summary>
    private void Stamp()
    {
        foreach (var change in Source.Log)
        {
            if (_stamps.TryGetValue(change.Key, out var known) && known.Version >= change.Version)
                continue;
            var late = TimeSpan.FromSeconds(Random.Next(4) == 0 ? Random.Next(50) : 0);
            var at = (_now - late).ToUnixTimeSeconds();
            _stamps[change.Key] = (change.Version, DateTimeOffset.FromUnixTimeSeconds(at) + _skew);
        }

        Source.Log.Clear();
    }

    private string Render(string key)
    {
        var at = _stamps[key].At.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return Source.Live.TryGetValue(key, out var record)
            ? $"{{\"id\":\"{key}\",\"updated_at\":\"{at}\"{record.Since(0)}}}"
            : $"{{\"id\":\"{key}\",\"updated_at\":\"{at}\",\"state\":\"gone\"}}";
    }
}
