namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>The soak servers, by name.</summary>
internal static class SoakServers
{
    public static IEnumerable<TheoryDataRow<string>> Names() =>
        ["graph", "members", "calendar", "rest", "since", "kubernetes", "couch", "pouch", "events", "shape", "stream"];

    public static SoakServer Create(string name, int seed) =>
        name switch
        {
            "graph" => new DeltaSoakServer(seed, isGraph: true),
            "members" => new MembersSoakServer(seed),
            "calendar" => new DeltaSoakServer(seed, isGraph: false),
            "rest" => new RestSoakServer(seed),
            "since" => new SinceSoakServer(seed),
            "kubernetes" => new KubernetesSoakServer(seed),
            "couch" => new CouchSoakServer(seed, isPouch: false),
            "pouch" => new CouchSoakServer(seed, isPouch: true),
            "events" => new EventSoakServer(seed),
            "shape" => new ShapeSoakServer(seed, isShape: true),
            _ => new ShapeSoakServer(seed, isShape: false),
        };
}
