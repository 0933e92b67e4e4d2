using System.Globalization;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>Server-sent events from the last id on, in every notation that the format allows.</summary>
internal sealed class EventSoakServer : SoakServer
{
    private static readonly string[] Ends = ["\n", "\r\n", "\r"];
    private readonly Dictionary<long, string> _last = [];

    public EventSoakServer(int seed)
        : base(seed) =>
        Source.Changed = change => _last[change.Version] = change.IsGone ? "" : SoakSource.Json(change.Key, Source.Live[change.Key]);

    public override string Path => "stream";

    public override string Dialect => "EventStream";

    public override bool IsFollowed => true;

    protected override SoakAnswer Answer(SoakRequest request)
    {
        var at = request.Header("Last-Event-ID") is { } id
            ? long.Parse(id.Split('é')[^1].Split("Ã©")[^1], CultureInfo.InvariantCulture)
            : 0;
        var left = Random.Next(1, 6);
        var isFirst = true;
        return new SoakAnswer("", "Content-Type: text/event-stream\r\n")
        {
            More = () =>
            {
                if (!IsQuiet && Random.Next(2) == 0)
                    Source.Change(2);
                if (left-- <= 0)
                {
                    return IsQuiet ? ""
                        : Random.Next(2) == 0 ? "id: x\ndata: {\"id\":\"never\"}\n"
                        : null;
                }
                var text = (isFirst ? "\uFEFFretry: 1\n\n" : ": still here\n") + string.Concat(Events(at));
                (at, isFirst) = (Source.Version, false);
                return text;
            },
        };
    }

    private IEnumerable<string> Events(long after)
    {
        foreach (var change in Source.Log.Where(change => change.Version > after))
        {
            var end = Ends[Random.Next(Ends.Length)];
            var id = $"id: é{change.Version}{end}";
            if (change.IsGone)
            {
                yield return $"event: delete{end}{id}data: {{\"id\":\"{change.Key}\"}}{end}{end}";
            }
            else if (Random.Next(3) == 0)
            {
                yield return $"data: [{_last[change.Version]},{end}data:{_last[change.Version]}]{end}{id}{end}";
            }
            else
            {
                var lines = _last[change.Version].Replace(",\"n\"", $",{end}data: \"n\"", StringComparison.Ordinal);
                yield return $"{id}data:{lines}{end}{end}";
            }

            if (Random.Next(5) == 0)
                yield return $"{id}{end}";
        }
    }
}
