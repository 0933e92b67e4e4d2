using System.Globalization;
using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Tables of what the items of a feed list, such as the members of groups in a delta query (D18).</summary>
public sealed class ChildrenTests : DialectTest
{
    private const string Groups = "v1.0/groups/delta?$select=members";
    private const string Members = "ODataDelta:members@delta";

    private static string Page(RawServer server, string items, string? next = null, string? delta = null) =>
        "{\"value\":["
        + items
        + "]"
        + (next is null ? "" : $",\"@odata.nextLink\":\"{server.Root}v1.0/groups/delta?$skiptoken={next}\"")
        + (delta is null ? "" : $",\"@odata.deltaLink\":\"{server.Root}v1.0/groups/delta?$deltatoken={delta}\"")
        + "}";

    private static string Group(string id, params string[] members) =>
        $"{{\"id\":\"{id}\",\"members@delta\":[{string.Join(',', members.Select(Member))}]}}";

    /// <summary>A member, or after a minus one that is no longer.</summary>
    private static string Member(string id) =>
        id[0] == '-'
            ? $$$"""{"id":"{{{id[1..]}}}","@removed":{"reason":"deleted"}}"""
            : $$"""{"@odata.type":"#microsoft.graph.user","id":"{{id}}"}""";

    /// <summary>A server that answers its n-th request with the n-th of these lists of items; each is a round.</summary>
    private static RawServer Rounds(params string[] rounds)
    {
        RawServer server = null!;
        return server = Serve(
            (_, number) =>
                Json(Page(server, rounds[Math.Min(number, rounds.Length) - 1], delta: number.ToString(CultureInfo.InvariantCulture)))
        );
    }

    private async Task<string> SyncAsync(RawServer server, string? dialect = Members, Func<SyncOptions, SyncOptions>? change = null) =>
        Counts(await SyncRun.ToEndAsync(Dialect(server, Groups, dialect, change)));

    /// <summary>The keys of the live records.</summary>
    private string Live() => string.Join(' ', SyncRun.Read(TablePath).Select(pair => pair.Key));

    private static SyncOptions Quarantines(SyncOptions options) =>
        new()
        {
            Feed = options.Feed,
            Store = options.Store,
            Foreign = options.Foreign,
            MalformedRecord = MalformedRecordPolicy.Quarantine,
        };

    private static SyncOptions Follows(SyncOptions options) =>
        new()
        {
            Feed = options.Feed,
            Store = options.Store,
            Foreign = options.Foreign,
            Follow = true,
            PollInterval = TimeSpan.FromMilliseconds(1),
            WantsChanges = true,
        };

    [Fact]
    public async Task Members_come_in_slices_over_items_and_pages_and_go_one_by_one()
    {
        RawServer server = null!;
        server = Serve(
            (path, _) =>
                path.Contains("$skiptoken=2") ? Json(Page(server, $"{Group("g1", "c")},{Group("g2", "a")}", delta: "one"))
                : path.Contains("$deltatoken=one")
                    ? Json(Page(server, $"{Group("g1", "-a", "d")},{{\"id\":\"g3\",\"displayName\":\"New\"}}", delta: "two"))
                : Json(Page(server, $"{Group("g1", "a", "b")},{Group("g3")}", next: "2"))
        );
        await using var disposing = server;

        var first = await SyncAsync(server);
        Assert.Equal("""{"parentId":"g1","@odata.type":"#microsoft.graph.user","id":"a"}""", Table().Split('\n')[0]);
        // The table knows its dialect.
        var second = await SyncAsync(server, dialect: null);

        Assert.Equal(("4 0 0", "1 0 1", "g1,b g1,c g1,d g2,a"), (first, second, Live()));
        Assert.Equal(["parentId", "id"], Info.KeyFields);
    }

    [Theory]
    [InlineData("""{"id":"g1","@removed":{"reason":"deleted"}}""")]
    [InlineData("""{"id":"g1","@removed":{"reason":"changed"},"members@delta":[{"id":"z"}]}""")]
    [InlineData("""{"id":"g1","deleted":{}}""")]
    [InlineData("""{"@odata.context":"x/$metadata#groups/$deletedEntity","id":"https://x/v1.0/groups('g1')","reason":"deleted"}""")]
    public async Task A_parent_that_is_gone_takes_its_children_and_no_others(string gone)
    {
        await using var server = Rounds($"{Group("g1", "a", "b")},{Group("g10", "a")},{Group("g", "a")},{Group("g1\\u0000", "a")}", gone);

        await SyncAsync(server);
        var run = await SyncRun.ToEndAsync(Dialect(server, Groups, null));

        Assert.Equal(("0 0 2", "g,a g1\0,a g10,a"), (Counts(run), Live()));
        Assert.Equal(["g1,a", "g1,b"], run.Changes.Select(change => change.Key.ToString()));
        Assert.Equal(2, run.Changes.Select(change => change.Sequence).Distinct().Count());
        Assert.Equal((3, 2), (Info.Rows, Info.Tombstones));
    }

    [Fact]
    public async Task A_parent_that_comes_back_brings_its_children_back()
    {
        const string Gone = """{"id":"g1","@removed":{"reason":"changed"}}""";
        await using var server = Rounds(Group("g1", "a", "b"), Gone, Gone, Group("g1", "b", "c"));

        List<string> counts = [];
        for (var i = 0; i < 4; i++)
            counts.Add(await SyncAsync(server));

        Assert.Equal(["2 0 0", "0 0 2", "0 0 0", "2 0 0"], counts);
        Assert.Equal("g1,b g1,c", Live());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Within_a_page_the_last_word_counts(bool seesChanges)
    {
        SeesChanges = seesChanges;
        const string Gone = """{"id":"g1","@removed":{"reason":"deleted"}}""";
        await using var server = Rounds(
            $"{Group("g1", "a", "b", "-a")},{Group("g1", "a")},{Group("g2", "x")}",
            $"{Group("g1", "-a", "a", "-b")},{Group("g1", "c")},{Gone},{Group("g1", "b", "-b", "d", "a")},{Group("g2", "y")}"
        );

        await SyncAsync(server);
        Assert.Equal("g1,a g1,b g2,x", Live());
        var run = await SyncRun.ToEndAsync(Dialect(server, Groups, null));

        Assert.Equal("g1,a g1,d g2,x g2,y", Live());
        if (seesChanges)
        {
            Assert.Equal(
                "Deleted g1,a; Added g1,a; Deleted g1,b; Added g1,c; Deleted g1,a; Deleted g1,c; Added g1,b; Deleted g1,b; Added g1,d; "
                    + "Added g1,a; Added g2,y",
                string.Join("; ", run.Changes.Select(change => $"{change.Kind} {change.Key}"))
            );
        }

        var sequences = run.Changes.Select(change => change.Sequence).ToList();
        Assert.Equal(sequences.Order(), sequences);
        Assert.Equal(sequences.Count, sequences.Distinct().Count());
        using var scan = new Table(TablePath).Read();
        Assert.Equal((4, 4), (Info.Rows, SyncRun.Read(TablePath).Count));
    }

    [Theory]
    [InlineData("""{"id":"u1"}""")]
    [InlineData("""{"id":"u1","manager@delta":null}""")]
    [InlineData("""{"id":"u1","manager@delta":[]}""")]
    public async Task An_item_that_lists_nothing_changes_nothing(string item)
    {
        await using var server = Rounds("""{"id":"u1","manager@delta":{"id":"m"}}""", item);

        await SyncAsync(server, "ODataDelta:manager@delta");
        var second = await SyncAsync(server, null);

        Assert.Equal(("0 0 0", "u1,m", 0L), (second, Live(), Info.Quarantined));
    }

    [Fact]
    public async Task What_can_be_one_only_comes_as_it_is_or_as_a_list_and_changes()
    {
        await using var server = Rounds(
            """{"id":"u1","manager@delta":{"id":"m1"}},{"id":"u2","manager@delta":[{"id":"m1"}]}""",
            """{"id":"u1","manager@delta":[{"id":"m1","@removed":{"reason":"changed"}},{"id":"m2"}]}"""
        );

        await SyncAsync(server, "ODataDelta:manager@delta");
        await SyncAsync(server, null);

        Assert.Equal("u1,m2 u2,m1", Live());
    }

    [Theory]
    [InlineData("""{"name":"none"}""", "in 'members@delta' of g1, it has no string or number 'id', its key; it has 'name'")]
    [InlineData("""{"@removed":{}}""", "in 'members@delta' of g1, it has no string or number 'id', its key, though it is a deletion")]
    [InlineData("7", "in 'members@delta' of g1, it is not a JSON object")]
    [InlineData("""{"id":7}""", "in 'members@delta' of g1, its key field 'id' is a number, while this table's are strings")]
    [InlineData("""{"id":{}}""", "in 'members@delta' of g1, its key 'id' is an object, not a string or number")]
    public async Task A_child_that_cannot_be_read_is_set_aside_with_its_parent_named(string child, string reason)
    {
        var items = $"{Group("g0", "a")},{{\"id\":\"g1\",\"members@delta\":[{Member("a")}, {child} ,{Member("b")}]}}";
        await using var server = Rounds(items);

        var (error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, Groups, Members));
        Assert.Contains(reason, error.Message);
        await SyncAsync(server, Members, Quarantines);

        Assert.Equal("g0,a g1,a g1,b", Live());
        var aside = Assert.Single(new Table(TablePath).ReadQuarantined());
        Assert.Equal((reason, child), (aside.Reason, Encoding.UTF8.GetString(aside.Bytes.Span)));
        var page = Page(server, items, delta: "1");
        Assert.Equal(page.IndexOf($" {child} ", StringComparison.Ordinal) + 1, aside.ByteOffset);
    }

    [Theory]
    [InlineData("""{"members@delta":[{"id":"a"},{"id":"b"}]}""", "it has no string or number 'id', its key")]
    [InlineData("""{"id":"g1","members@delta":"many"}""", "its 'members@delta' is not a list")]
    [InlineData("""{"@removed":{"reason":"deleted"}}""", "it has no string or number 'id', its key, though it is a deletion")]
    public async Task A_parent_that_cannot_be_read_is_set_aside_as_a_whole(string item, string reason)
    {
        await using var server = Rounds($"{Group("g0", "a")},{item}");

        await SyncAsync(server, Members, Quarantines);

        Assert.StartsWith(reason, Assert.Single(new Table(TablePath).ReadQuarantined()).Reason);
        Assert.Equal("g0,a", Live());
    }

    [Fact]
    [Trait("Invariant", "I6")]
    public async Task An_expired_token_stages_the_whole_set_and_sweeps_what_it_lacks()
    {
        RawServer server = null!;
        const string Gone = """{"id":"g2","@removed":{"reason":"changed"}}""";
        server = Serve(
            (path, number) =>
                number == 1 ? Json(Page(server, $"{Group("g1", "a", "b")},{Group("g2", "a", "b", "c")},{Group("g3", "a")}", delta: "one"))
                : number == 2 ? Status("410 Gone")
                : path.Contains("$skiptoken=2")
                    ? Json(Page(server, $"{Gone},{Group("g1", "d")},{Group("g2", "c", "-b", "e")}", delta: "two"))
                // What comes first goes again with its group, on a later page.
                : Json(Page(server, $"{Group("g1", "a")},{Group("g2", "a", "x")}", next: "2"))
        );
        await using var disposing = server;

        await SyncAsync(server);
        var run = await SyncRun.ToEndAsync(Dialect(server, Groups, null));

        Assert.Equal("g1,a g1,d g2,c g2,e", Live());
        Assert.Equal("2 0 4", Counts(run));
        Assert.Equal((4, 4), (Info.Rows, Info.Tombstones));
    }

    [Theory]
    [InlineData(Members)]
    [InlineData("""{ "From": "ODataDelta", "Children": "members@delta", "Update": "Replace" }""")]
    [Trait("Invariant", "I6")]
    public async Task A_parent_that_goes_while_the_whole_set_comes_again_takes_what_came_unchanged(string dialect)
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 1 ? Json(Page(server, $"{Group("g1", "a", "b")},{Group("g2", "a")}", delta: "one"))
                : number == 2 ? Status("410 Gone")
                : Json(
                    Page(
                        server,
                        $"{Group("g1", "a", "b")},{Group("g2", "a")},{{\"id\":\"g1\",\"@removed\":{{}}}},{Group("g1", "b")}",
                        delta: "two"
                    )
                )
        );
        await using var disposing = server;

        await SyncAsync(server, dialect);
        var second = await SyncAsync(server, null);

        Assert.Equal(("0 0 1", "g1,b g2,a"), (second, Live()));
    }

    [Fact]
    [Trait("Invariant", "I6")]
    public async Task A_whole_set_that_cannot_be_read_in_full_removes_no_more_than_it_says()
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 1 ? Json(Page(server, $"{Group("g1", "a", "b")},{Group("g2", "a", "b")}", delta: "one"))
                : number == 2 ? Status("410 Gone")
                : Json(Page(server, $"{Group("g2", "a")},7,{{\"id\":\"g1\",\"@removed\":{{}}}}", delta: "two"))
        );
        await using var disposing = server;

        await SyncAsync(server, Members, Quarantines);
        await SyncAsync(server, Members, Quarantines);

        Assert.Equal("g2,a g2,b", Live());
    }

    [Fact]
    [Trait("Invariant", "I1")]
    public async Task A_first_load_that_is_cut_off_between_pages_goes_on_there()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                path.Contains("$skiptoken=2") && number == 2 ? Json("{\"value\":[" + Group("g1", "c") + ",{") with { IsCut = true }
                : path.Contains("$skiptoken=2") ? Json(Page(server, Group("g1", "c"), delta: "one"))
                : path.Contains("$deltatoken") ? Json(Page(server, Group("g1", "-a"), delta: "two"))
                : Json(Page(server, Group("g1", "a", "b"), next: "2"))
        );
        await using var disposing = server;

        await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, Groups, Members));
        Assert.Equal("g1,a g1,b", Live());
        await SyncAsync(server, null);

        Assert.Equal("g1,b g1,c", Live());
        Assert.Equal(
            ["$select=members", "$skiptoken=2", "$skiptoken=2", "$deltatoken=one"],
            Paths(server).Select(path => path.Split('?')[1])
        );
    }

    [Theory]
    [InlineData("member@delta")]
    [InlineData("Members@delta")]
    public async Task A_list_that_no_item_has_is_warned_of_with_the_lists_that_there_are(string children)
    {
        await using var server = Rounds(Group("g1", "a", "b"));

        var run = await SyncRun.ToEndAsync(Dialect(server, Groups, $"ODataDelta:{children}"));

        var warning = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Contains($"No item of the feed has '{children}'", warning.Message);
        Assert.Contains("'members@delta'", warning.Remedy?.ToString());
    }

    [Fact]
    public async Task A_member_that_goes_adds_no_field_to_the_table()
    {
        await using var server = Rounds(Group("g1", "a", "b"), Group("g1", "-a"));
        await SyncRun.ToEndAsync(Dialect(server, Groups, Members));
        await SyncRun.ToEndAsync(Dialect(server, Groups, dialect: null));

        Assert.DoesNotContain("@removed", Info.Fields);
    }

    [Fact]
    public async Task What_is_left_out_is_warned_of_once_in_all_rounds()
    {
        await using var server = Rounds(Group("g1", "a"), Group("g1", "b"), Group("g2", "c"), Group("g2", "d"));
        var warnings = 0;
        await foreach (var step in new TableSync(Dialect(server, Groups, "ODataDelta", Follows)).RunAsync(Cancellation))
        {
            warnings += step is FeedEventOccurred { Event.Kind: FeedEventKind.Warning } ? 1 : 0;
            if (server.Requests.Count > 4)
                break;
        }

        Assert.Equal(1, warnings);
    }

    [Fact]
    public async Task Followers_see_members_come_and_go()
    {
        await using var server = Rounds(Group("g1", "a", "b"), Group("g1", "-a", "c"), """{"id":"g1","@removed":{"reason":"deleted"}}""");
        var sync = new TableSync(Dialect(server, Groups, Members, Follows));

        List<string> seen = [];
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is ChangesCommitted committed)
                seen.AddRange(committed.Changes.Select(change => $"{change.Kind} {change.Key}"));
            if (seen.Count == 6)
                break;
        }

        Assert.Equal(["Added g1,a", "Added g1,b", "Deleted g1,a", "Added g1,c", "Deleted g1,b", "Deleted g1,c"], seen);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Invariant", "I11")]
    public async Task One_item_may_have_more_children_than_a_batch_and_they_go_with_it(bool seesChanges)
    {
        const int Count = 100_000;
        SeesChanges = seesChanges;
        var many = Group("g1", [.. Enumerable.Range(0, Count).Select(i => $"{i:D32}")]);
        await using var server = Rounds($"{Group("g0", "a")},{many},{Group("g2", "a")}", """{"id":"g1","@removed":{"reason":"changed"}}""");

        var first = await SyncAsync(server);
        var second = await SyncAsync(server);

        Assert.Equal(($"{Count + 2} 0 0", $"0 0 {Count}", "g0,a g2,a"), (first, second, Live()));
        using var scan = new Table(TablePath).Read(new RecordQuery { Since = 0 });
        HashSet<long> sequences = [];
        while (scan.Read())
            Assert.True(sequences.Add(scan.Sequence));
        Assert.Equal(Count + 2, sequences.Count);
        Assert.True(sequences.Max() <= Info.Sequence);
    }

    [Fact]
    public async Task The_warning_of_a_list_that_is_left_out_says_what_to_type()
    {
        await using var server = Rounds(Group("g1", "a"));

        var run = await SyncRun.ToEndAsync(Dialect(server, Groups, "ODataDelta"));

        var told = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Equal("The field 'members@delta' is left out: it lists changes of what a record has, a part at a time.", told.Message);
        Assert.Equal(
            "For a table of what it lists, sync the same feed with Table(groups.members) Dialect(ODataDelta:members@delta) too.",
            told.Remedy!.Render((term, value) => $"{term}({value})")
        );
    }

    [Fact]
    public async Task The_table_of_the_items_is_not_taken_for_that_of_their_children()
    {
        await using var server = Rounds(Group("g1", "a"));
        await SyncAsync(server, "ODataDelta");

        var (error, _) = await SyncRun.ToErrorAsync<TableMismatchException>(Dialect(server, Groups, Members));

        Assert.Contains("is 'id', not 'parentId, id'", error.Message);
        Assert.Equal(
            "groups.members",
            new FeedOptions { Uri = new Uri(server.Root, Groups) }.Address.TableNameFor(DialectDescription.Load(Members))
        );
    }

    [Fact]
    public async Task A_dialect_may_name_the_parents_key_and_numbers_are_keys_too()
    {
        const string Orders = """
            { "From": "ODataDelta", "Children": "Lines@delta", "Key": [{ "orderNo": "No" }, "No"] }
            """;
        await using var server = Rounds(
            """{"No":1,"Lines@delta":[{"No":1,"orderNo":"x","Qty":5},{"No":2,"Qty":6}]},{"No":10,"Lines@delta":[{"No":1}]}""",
            """{"No":1,"Lines@delta":[{"No":1,"Qty":7},{"@removed":{},"@id":"Lines(2)"}]},{"@removed":{},"@id":"Orders(10)"}"""
        );

        await SyncAsync(server, Orders);
        Assert.Equal("""{"orderNo":1,"No":1,"Qty":5}""", Table().Split('\n')[0]);
        await SyncAsync(server, null);

        Assert.Equal("""{"orderNo":1,"No":1,"Qty":7}""", Table());
    }

    [Fact]
    public async Task A_link_to_a_child_may_have_its_address_only()
    {
        await using var server = Rounds("""{"id":"g1","members@delta":[{"@odata.id":"https://x/users('a')"}]}""");

        await SyncAsync(server);

        Assert.Equal("""{"parentId":"g1","id":"a","@odata.id":"https://x/users('a')"}""", Table());
    }

    [Fact]
    public async Task A_whole_list_has_children_too_and_one_that_lacks_them_removes_them()
    {
        // What the list counts are its items.
        await using var server = RawServer.WithBodies(
            """{"items":[{"id":1,"tags":[{"id":"x"},{"id":"y"}]},{"id":2,"tags":[{"id":"x"}]},{"id":3},{"id":4},{"id":5}],"total":5}""",
            """{"items":[{"id":1,"tags":[{"id":"y"},{"id":"z"}]},{"id":2,"tags":[{"id":"x"}]},{"id":3},{"id":4},{"id":5}],"total":5}"""
        );

        await SyncRun.ToEndAsync(Dialect(server, "issues", "Rest:tags"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "issues", null));

        Assert.Equal(("1 0 1", "1,y 1,z 2,x"), (Counts(second), Live()));
    }

    [Theory]
    [InlineData("""{ "From": "ODataDelta", "Children": "m", "Key": { "groupId": "id" } }""", "Key: with Children")]
    [InlineData("""{ "From": "ODataDelta", "Children": "m", "Key": ["id", { "groupId": "id" }] }""", "Key: with Children")]
    [InlineData("""{ "From": "ODataDelta", "Children": "m", "OrderBy": "n" }""", "OrderBy: children have none")]
    [InlineData("""{ "From": "CouchDb", "Children": "m" }""", "Record: children have none")]
    [InlineData("""{ "From": "Rest", "Children": "header:x" }""", "must be a field name or a JSON Pointer")]
    public void A_description_that_has_no_key_of_its_children_is_wrong(string json, string reason) =>
        Assert.Contains(reason, Assert.Throws<DialectFormatException>(() => DialectDescription.Parse(json, "test")).Message);
}
