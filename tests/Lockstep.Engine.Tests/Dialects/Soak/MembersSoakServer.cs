using System.Globalization;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>
/// Delta queries of groups, of which the table has the members: they come in slices over items and pages, and go one by one or with their
/// group. The source's records are the members.
/// </summary>
internal sealed class MembersSoakServer(int seed) : DeltaSoakServer(seed, isGraph: true)
{
    private const int Size = 6;

    /// <summary>The version at which each group was last deleted.</summary>
    private readonly Dictionary<string, long> _died = [];

    public override string Dialect => "ODataDelta:members@delta";

    public override IEnumerable<string> Expected() => base.Expected().Select(AsMember);

    protected override void Befall()
    {
        if (Chance(6))
        {
            var group = string.Create(CultureInfo.InvariantCulture, $"g{Random.Next(5)}");
            foreach (var key in Source.Live.Keys.Where(key => GroupOf(key) == group).ToList())
                Source.Delete(key);
            _died[group] = Source.Version;
        }
    }

    /// <summary>A group that was deleted comes before its members.</summary>
    protected override IReadOnlyList<string> Changed(long from) =>
        [.. Shuffled(_died.Where(pair => pair.Value > from).Select(pair => pair.Key)), .. base.Changed(from)];

    protected override List<string> Items(IReadOnlyList<string> keys, long? from)
    {
        List<string> items = [],
            slice = [];
        string? last = null;
        foreach (var key in keys)
        {
            var group = key[0] == 'g' ? key : GroupOf(key);
            if (group != last || key == group || Random.Next(4) == 0)
                End();
            last = group;
            if (key == group)
                items.Add(Gone(group));
            else
                slice.AddRange(Members(key, from));
        }

        End();
        return items;

        void End()
        {
            if (last is not null && (slice.Count > 0 || Random.Next(4) == 0))
                items.Add($"{{\"id\":\"{last}\",\"name\":\"{last}\"{(slice.Count > 0 ? $",\"members@delta\":[{List(slice)}]" : "")}}}");
            slice.Clear();
        }
    }

    private IEnumerable<string> Members(string key, long? from)
    {
        var (id, died) = (MemberOf(key), Source.Died.GetValueOrDefault(key));
        if (!Source.Live.TryGetValue(key, out var record))
        {
            yield return Gone(id);
            yield break;
        }

        var since = from ?? 0;
        if (record.Born <= since)
        {
            yield return $"{{\"id\":\"{id}\"{record.Since(since)}}}";
            yield break;
        }

        if (from is not null && died > since)
            yield return Gone(id);
        yield return SoakSource.Json(id, record);
        if (Random.Next(5) == 0)
            yield return $"{{\"id\":\"{id}\"{record.Since(record.Version - 1)}}}";
    }

    /// <summary>The source's record as the table has it.</summary>
    private static string AsMember(string json)
    {
        var key = json[7..10];
        return $"{{\"parentId\":\"{GroupOf(key)}\",\"id\":\"{MemberOf(key)}\"{json[11..]}";
    }

    private static int Number(string key) => int.Parse(key[1..], CultureInfo.InvariantCulture);

    private static string GroupOf(string key) => string.Create(CultureInfo.InvariantCulture, $"g{Number(key) / Size}");

    private static string MemberOf(string key) => string.Create(CultureInfo.InvariantCulture, $"m{Number(key) % Size}");
}
