using System.Globalization;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>
/// Electric's shapes: an offset in the log of one handle, transactions over two records that may span answers, handles that are dropped
/// with and without a new one. As a Durable Stream, the same log without handles and deletions.
/// </summary>
internal sealed class ShapeSoakServer : SoakServer
{
    private readonly bool _isShape;
    private readonly List<string> _log = [];
    private int _handle = 1;
    private int _noted;

    public ShapeSoakServer(int seed, bool isShape)
        : base(seed)
    {
        _isShape = isShape;
        Source.Deletes = isShape;
    }

    public override string Path => _isShape ? "v1/shape?table=t" : "stream/log";

    public override string Dialect => _isShape ? "Shape" : "DurableStream";

    public override bool IsFollowed => true;

    public override IEnumerable<string> Expected()
    {
        base.Expected();
        return
        [
            .. Source.Live.Select(pair =>
                _isShape ? $"{{\"_key\":\"{pair.Key}\"{pair.Value.Since(0)}}}" : SoakSource.Json(pair.Key, pair.Value)
            ),
        ];
    }

    /// <summary>Half of a transaction is never seen.</summary>
    public override void Check(IReadOnlyCollection<string> records)
    {
        if (!_isShape)
            return;
        var pair = records
            .Where(record => record.Contains("_key=\"pair", StringComparison.Ordinal))
            .Select(record => record.Split(" n=")[1])
            .ToList();
        Assert.True(pair.Count is 0 or 2 && pair.Distinct().Count() <= 1, $"half of a transaction: {string.Join(", ", pair)}");
    }

    protected override void Befall()
    {
        if (_isShape && Random.Next(20) == 0)
            Throw();
        if (_isShape && Random.Next(2) == 0)
        {
            Note();
            Source.Set("pair1");
            Source.Set("pair2");
            Source.Live["pair1"].Fields["n"] = Source.Live["pair2"].Fields["n"];
        }
    }

    protected override SoakAnswer Answer(SoakRequest request)
    {
        Note();
        if (_isShape && request["offset"] != "-1" && request["handle"] != Handle)
        {
            var head = Random.Next(2) == 0 ? $"electric-handle: {Handle}\r\n" : "";
            return new SoakAnswer(
                """[{"headers":{"control":"must-refetch"}}]""",
                "Content-Type: application/json\r\n" + head,
                "409 Conflict"
            );
        }

        var at = request["offset"] == "-1" ? 0 : int.Parse(request["offset"]!.Split('_')[0], CultureInfo.InvariantCulture);
        var items = _log.Skip(at).Take(Random.Next(1, 9)).ToList();
        at += items.Count;
        var isUpToDate = at == _log.Count;
        if (request["live"] is not null && items.Count == 0)
            return new SoakAnswer("", Head(at, isUpToDate), "204 No Content");
        if (_isShape && isUpToDate && Random.Next(2) == 0)
            items.Add("""{"headers":{"control":"up-to-date"}}""");
        return new SoakAnswer($"[{List(items)}]", "Content-Type: application/json\r\n" + Head(at, isUpToDate));
    }

    private string Handle => string.Create(CultureInfo.InvariantCulture, $"h{_handle}");

    private string Head(int at, bool isUpToDate) =>
        _isShape
            ? $"electric-handle: {Handle}\r\nelectric-offset: {at}_0\r\n{(isUpToDate ? "electric-up-to-date: \r\n" : "")}"
            : $"Stream-Next-Offset: {at:0000}_x\r\nStream-Cursor: c\r\n{(isUpToDate ? "Stream-Up-To-Date: true\r\n" : "")}";

    /// <summary>The shape is created again: its log holds what exists now.</summary>
    private void Throw()
    {
        _handle++;
        _log.Clear();
        _noted = Source.Log.Count;
        _log.AddRange(Source.Live.Select(pair => Message("insert", pair.Key, pair.Value, 0)));
    }

    /// <summary>What changed is appended to the log, in its current state.</summary>
    private void Note()
    {
        foreach (var change in Source.Log.Skip(_noted))
        {
            var isLive = Source.Live.TryGetValue(change.Key, out var record);
            if (_isShape)
            {
                _log.Add(
                    isLive && !change.IsGone
                        ? Message("update", change.Key, record!, 0)
                        : $$$"""{"headers":{"operation":"delete"},"key":"{{{change.Key}}}","value":{}}"""
                );
            }
            else
            {
                _log.Add(SoakSource.Json(change.Key, record!));
            }
        }

        _noted = Source.Log.Count;
    }

    private static string Message(string operation, string key, SoakRecord record, long since)
    {
        var value = record.Since(since);
        return $$$"""{"headers":{"operation":"{{{operation}}}"},"key":"{{{key}}}","value":{{{{(value.Length > 0 ? value[1..] : "")}}}}}""";
    }
}
