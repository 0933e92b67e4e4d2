using System.Text;
using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests;
using Lockstep.Engine.Tests.Dialects.Soak;
using Lockstep.Engine.Tests.Reliability;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>Other servers' feeds, kept in PostgreSQL.</summary>
public sealed class DialectTableTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(SoakServers.Names), MemberType = typeof(SoakServers))]
    [Trait("Invariant", "I2")]
    public async Task A_table_ends_as_its_server(string name)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        var first = LongForm.Seed(1);
        for (var seed = first; seed < first + LongForm.Of(3, 100); seed++)
        {
            await using var server = SoakServers.Create(name, seed);
            await new DialectSoak(server, store, () => store.Get("soak"), Cancel).RunAsync(seed);
            store.Get("soak").Remove();
        }
    }

    [Fact]
    public async Task Patches_are_laid_over_what_is_stored_and_the_same_JSON_is_no_change()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        string[] pages =
        [
            """{"id":"a","x":1.50,"y":"\u00e4"},{"id":"b","x":1}""",
            """{"id":"a","z":{"p":1,"q":2}},{"id":"a","y":null},{"x":1,"id":"b"}""",
            """{"id":"a","z":{"q":2, "p":1}},{"id":"b","@removed":{"reason":"changed"}},{"id":"b","@removed":{"reason":"deleted"}}""",
        ];
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(
                $"{{\"value\":[{pages[exchange.Number - 1]}],\"@odata.deltaLink\":\"/users/delta?$deltatoken={exchange.Number}\"}}"
            )
        );

        List<string> counts = [];
        for (var i = 0; i < pages.Length; i++)
            counts.Add(await SyncAsync(server, "users/delta", store));

        Assert.Equal(["2 0 0", "0 2 0", "0 0 1"], counts);
        using var scan = store.Get("users").Read();
        Assert.True(scan.Read());
        Assert.Equal("""{"id":"a","x":1.50,"y":null,"z":{"p":1,"q":2}}""", Encoding.UTF8.GetString(scan.Json));
        Assert.False(scan.Read());
        Assert.Equal("ODataDelta", store.Get("users").GetInfo().DialectName);
    }

    [Fact]
    public async Task Patches_with_a_version_are_laid_over_too_and_the_same_version_in_another_spelling_is_no_change()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        var ordered = DialectDescription.Parse("""{ "From": "ODataDelta", "OrderBy": "v" }""", "ordered");
        string[] pages =
        [
            """{"id":"a","v":1,"x":1}""",
            """{"id":"a","v":2,"y":2},{"id":"a","v":3,"z":3},{"id":"a","v":1,"x":9}""",
            """{ "v": 3, "id": "a" }""",
        ];
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(
                $"{{\"value\":[{pages[exchange.Number - 1]}],\"@odata.deltaLink\":\"/users/delta?$deltatoken={exchange.Number}\"}}"
            )
        );

        List<string> counts = [];
        for (var i = 0; i < pages.Length; i++)
            counts.Add(await SyncAsync(server, "users/delta", store, ordered));

        Assert.Equal(["1 0 0", "0 2 0", "0 0 0"], counts);
        using var scan = store.Get("users").Read();
        Assert.True(scan.Read());
        Assert.Equal("""{"id":"a","v":3,"x":1,"y":2,"z":3}""", Encoding.UTF8.GetString(scan.Json));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_version_of_a_list_in_another_spelling_is_no_change(bool isStaged)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        var ordered = DialectDescription.Parse(
            isStaged
                ? """{ "From": "Rest", "Next": null, "OrderBy": "v" }"""
                : """{ "From": "Rest", "Next": null, "OrderBy": "v", "Cursor": "c", "Changes": { "Query": { "c": "{cursor}" } } }""",
            "ordered"
        );
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(
                (exchange.Number == 1 ? """{"items":[{"id":1,"n":1,"v":5}]""" : """{"items":[{"v":5, "n":1, "id":1}]""")
                    + $",\"c\":\"{exchange.Number}\"}}"
            )
        );

        Assert.Equal("1 0 0", await SyncAsync(server, "items", store, ordered));
        Assert.Equal("0 0 0", await SyncAsync(server, "items", store, ordered));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_parent_that_goes_takes_its_children_also_while_the_whole_set_comes_again(bool seesChanges)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        const string Gone = """{"id":"g1","@removed":{"reason":"changed"}}""";
        static string Group(string id, params string[] members) =>
            $"{{\"id\":\"{id}\",\"members@delta\":[{string.Join(',', members.Select(member => $"{{\"id\":\"{member}\"}}"))}]}}";
        string[] pages =
        [
            $"{Group("g1", "a", "b")},{Group("g10", "a")},{Group("g2", "x")}",
            $"{Group("g1", "c", "d")},{Gone},{Group("g1", "b", "e")},{Gone},{Group("g1", "a")}",
            "", // The token has expired.
            $"{Group("g1", "a", "b")},{Group("g10", "a")},{Gone},{Group("g1", "b")}",
        ];
        await using var server = new RawServer(exchange =>
            exchange.Number == 3
                ? exchange.SendAsync("HTTP/1.1 410 Gone\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                : exchange.BodyAsync(
                    $"{{\"value\":[{pages[exchange.Number - 1]}],\"@odata.deltaLink\":\"/groups/delta?$deltatoken={exchange.Number}\"}}"
                )
        );

        List<string> counts = [];
        List<TableChange> changes = [];
        for (var i = 0; i < 3; i++)
            counts.Add(await SyncAsync(server, "groups/delta", store, "ODataDelta:members@delta", seesChanges ? changes : null));

        Assert.Equal(["4 0 0", "5 0 6", "1 0 2"], counts);
        var table = store.Get("groups.members");
        Assert.Equal((2L, 5L), (table.GetInfo().Rows, table.GetInfo().Tombstones));
        List<string> keys = [];
        using (var live = table.Read())
        {
            while (live.Read())
                keys.Add(live.Key.ToString());
        }

        Assert.Equal(["g1,b", "g10,a"], keys);
        List<long> sequences = [];
        using (var all = table.Read(new RecordQuery { Since = 0 }))
        {
            while (all.Read())
                sequences.Add(all.Sequence);
        }

        Assert.Equal(sequences.Distinct().Order(), sequences);
        Assert.Equal(seesChanges ? 18 : 0, changes.Count);
        Assert.Equal(changes.Select(change => change.Sequence).Distinct().Order(), changes.Select(change => change.Sequence));
    }

    [Fact]
    public async Task A_whole_set_that_comes_again_writes_no_row_and_one_that_lacks_most_is_refused_and_owed()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        var all = string.Join(',', Enumerable.Range(1, 2500).Select(i => $$"""{"id":{{i}},"v":[1, 2]}"""));
        var spaced = all.Replace("[1, 2]", "[1,2]", StringComparison.Ordinal);
        string[] bodies = [$"[{all}]", $"[{spaced}]", """[{"id":1,"v":[1]}]"""];
        await using var server = RawServer.WithBodies(bodies);

        Assert.Equal("2500 0 0", await SyncAsync(server, "items", store));
        var sequence = store.Get("items").GetInfo().Sequence;
        Assert.Equal("0 0 0", await SyncAsync(server, "items", store));
        Assert.Equal(sequence, store.Get("items").GetInfo().Sequence);
        var refused = await Assert.ThrowsAsync<SweepRefusedException>(() => SyncAsync(server, "items", store));

        Assert.Equal(2500, store.Get("items").GetInfo().Rows);
        Assert.Equal(ErrorKind.SweepRefused, refused.Kind);
    }

    [Fact]
    public async Task A_key_within_an_object_finds_records_and_has_a_column()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        await using var server = RawServer.WithBodies(
            """{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"uid":"a"}}"""
                + """,{"metadata":{"uid":"b"}}]}"""
        );

        await SyncAsync(server, "api/v1/pods", store);

        using var scan = store.Get("pods").Read(new RecordQuery { Filter = "\"/metadata/uid\" = 'b'" });
        Assert.True(scan.Read());
        Assert.Equal("b", scan.Key.ToString());
        Assert.False(scan.Read());
    }

    private static Task<string> SyncAsync(
        RawServer server,
        string path,
        TableStore store,
        string? dialect = null,
        List<TableChange>? changes = null
    ) =>
        SyncAsync(
            server,
            path,
            store,
            (dialect ?? (path == "items" ? "Rest" : null)) is { } name ? DialectDescription.Load(name) : null,
            changes
        );

    private static async Task<string> SyncAsync(
        RawServer server,
        string path,
        TableStore store,
        DialectDescription? dialect,
        List<TableChange>? changes = null
    )
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Root, path) },
                Store = store,
                Foreign = dialect,
                WantsChanges = changes is not null,
            }
        );
        await foreach (var step in sync.RunAsync(Cancel))
        {
            if (step is ChangesCommitted committed)
                changes?.AddRange(committed.Changes);
        }

        return $"{sync.Result.Added} {sync.Result.Updated} {sync.Result.Deleted}";
    }
}
