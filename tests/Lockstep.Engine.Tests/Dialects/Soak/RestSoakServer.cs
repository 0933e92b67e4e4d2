using System.Globalization;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>
/// A plain list that comes in full each time: in one page, or in pages by key or by number, between which its records move.
/// </summary>
internal sealed class RestSoakServer(int seed) : SoakServer(seed)
{
    private readonly int _style = seed % 4;
    private readonly int _size = 3 + seed % 7;

    public override string Path => "items";

    public override string Dialect => _style == 3 ? """{ "From": "Rest", "Next": { "skip": "offset:" } }""" : "Rest";

    protected override SoakAnswer Answer(SoakRequest request)
    {
        // By number, the newest come first: each change moves the others.
        var all = (
            _style < 2
                ? Source.Live.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                : Source.Live.OrderByDescending(pair => pair.Value.Version)
        ).ToList();
        const string Json = "Content-Type: application/json\r\n";
        switch (_style)
        {
            case 0:
                return new SoakAnswer($"[{Render(Shuffled(all))}]", Json);
            case 1:
                var after = request["after"] ?? "";
                var page = all.Where(pair => string.CompareOrdinal(pair.Key, after) > 0).Take(_size).ToList();
                var link = page.Count == _size ? $"Link: </items?after={page[^1].Key}>; rel=\"next\"\r\n" : "";
                return new SoakAnswer($"{{\"data\":[{Render(page)}]}}", Json + link);
            case 2:
                var number = int.Parse(request["page"] ?? "1", CultureInfo.InvariantCulture);
                var next = all.Count > number * _size ? $"\"/items?page={number + 1}\"" : "null";
                return new SoakAnswer($"{{\"next\":{next},\"results\":[{Render(all.Skip((number - 1) * _size).Take(_size))}]}}", Json);
            default:
                var skip = int.Parse(request["skip"] ?? "0", CultureInfo.InvariantCulture);
                return new SoakAnswer($"{{\"items\":[{Render(all.Skip(skip).Take(_size))}]}}", Json);
        }
    }

    private static string Render(IEnumerable<KeyValuePair<string, SoakRecord>> records) =>
        List(records.Select(pair => SoakSource.Json(pair.Key, pair.Value)));
}
