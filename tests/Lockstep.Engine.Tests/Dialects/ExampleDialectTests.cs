using System.Runtime.CompilerServices;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>The dialects in <c>examples/dialects</c>, against servers that answer as those services do.</summary>
public sealed class ExampleDialectTests : DialectTest
{
    private const string Date = "Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n";

    private static string Examples([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "examples", "dialects"));

    public static TheoryData<string> Files() => [.. Directory.GetFiles(Examples(), "*.json").Select(file => Path.GetFileName(file)!)];

    [Theory]
    [MemberData(nameof(Files))]
    public void Each_is_a_description(string file) => Assert.NotEmpty(DialectDescription.Load(Path.Combine(Examples(), file)).Snapshot.Key);

    [Theory]
    [InlineData(
        "github",
        """[{"id":1,"updated_at":"2026-01-01T10:00:00Z"}]""",
        """[{"id":1,"updated_at":"2026-01-01T10:00:00Z"},{"id":2,"updated_at":"2026-01-01T11:00:00Z"}]""",
        "since=2026-01-01T09:59:00Z"
    )]
    [InlineData(
        "gitlab",
        """[{"id":1,"updated_at":"2026-01-01T10:00:00.123+02:00"}]""",
        """[{"id":2,"updated_at":"2026-01-01T11:00:00Z"}]""",
        "updated_after=2026-01-01T07:59:00Z"
    )]
    [InlineData(
        "servicenow",
        """{"result":[{"sys_id":"a","sys_updated_on":"2026-01-01 10:00:00"}]}""",
        """{"result":[{"sys_id":"b","sys_updated_on":"2026-01-01 11:00:00"}]}""",
        "sys_updated_on>=2026-01-01 09:59:00^ORDERBYsys_updated_on"
    )]
    [InlineData(
        "google-calendar",
        """{"items":[{"id":"a","status":"confirmed"}],"nextSyncToken":"s1"}""",
        """{"items":[{"id":"b","status":"confirmed"}],"nextSyncToken":"s2"}""",
        "syncToken=s1"
    )]
    [InlineData(
        "azure-devops",
        """{"values":[{"id":1,"rev":1}],"nextLink":"/list?continuationToken=c1","isLastBatch":true}""",
        """{"values":[{"id":2,"rev":1}],"nextLink":"/list?continuationToken=c2","isLastBatch":true}""",
        "continuationToken=c1"
    )]
    [InlineData(
        "netbox",
        """{"count":1,"next":null,"results":[{"id":1}]}""",
        """{"count":2,"next":null,"results":[{"id":1},{"id":2}]}""",
        "limit=500"
    )]
    [InlineData("consul", """[{"ServiceID":"a"}]""", """[{"ServiceID":"a"},{"ServiceID":"b"}]""", "/list")]
    public async Task A_second_sync_asks_for_what_is_new(string name, string first, string second, string asked)
    {
        await using var server = Serve((_, number) => Json(number == 1 ? first : second, Date + "X-Consul-Index: 7\r\n"));
        var file = Path.Combine(Examples(), name + ".json");

        await SyncRun.ToEndAsync(Dialect(server, "list", file));
        var run = await SyncRun.ToEndAsync(Dialect(server, "list", dialect: null));

        Assert.Equal((1, 0, 2), (run.Result.Added, run.Result.Deleted, Info.Rows));
        Assert.Contains(asked, Paths(server).Last());
    }

    [Fact]
    public async Task Drive_goes_on_from_the_token_that_was_the_newest_before_its_files_were_listed()
    {
        var listed = 0;
        await using var server = Serve(
            (path, number) =>
                path.StartsWith("/drive/changes/startPageToken", StringComparison.Ordinal) ? Json($$"""{"startPageToken":"{{number}}0"}""")
                : path.StartsWith("/drive/changes", StringComparison.Ordinal)
                    ? path.Contains("pageToken=p2")
                            ? Json("""{"newStartPageToken":"12","changes":[{"fileId":"c","file":{"id":"c","name":"new"}}]}""")
                        : Json(
                            """{"nextPageToken":"p2","changes":[{"fileId":"a","removed":true}"""
                                + """,{"fileId":"b","file":{"id":"b","name":"b2"}}]}"""
                        )
                : listed++ == 0 ? Json("""{"nextPageToken":"f2","files":[{"id":"a","name":"a"}]}""")
                : Json("""{"files":[{"id":"b","name":"b"}]}""")
        );
        var file = Path.Combine(Examples(), "google-drive.json");

        var first = await SyncRun.ToEndAsync(Dialect(server, "drive/files", file));
        Assert.Equal(("2 0 0", "10"), (Counts(first), Info.Cursor.ToString()));
        var second = await SyncRun.ToEndAsync(Dialect(server, "drive/files", dialect: null));

        Assert.Equal(("1 1 1", "12"), (Counts(second), Info.Cursor.ToString()));
        Assert.Equal("""{"id":"b","name":"b2"}""" + "\n" + """{"id":"c","name":"new"}""", Table());
        Assert.Contains(Paths(server), path => path.Contains("/drive/changes?pageToken=10"));
    }

    [Fact]
    public async Task Jira_is_asked_by_the_minute_and_in_the_order_of_changes()
    {
        await using var server = Serve(
            (path, _) =>
                path.Contains("startAt=") ? Json("""{"issues":[]}""", Date)
                : path.Contains("jql=ORDER") ? Json("""{"issues":[{"id":"1","fields":{"updated":"2026-01-01T10:01:30.000+0000"}}]}""", Date)
                : Json("""{"issues":[{"id":"2","fields":{"updated":"2026-01-01T11:00:00.000+0000"}}]}""", Date)
        );
        var file = Path.Combine(Examples(), "jira.json");

        await SyncRun.ToEndAsync(Dialect(server, "search", file));
        await SyncRun.ToEndAsync(Dialect(server, "search", dialect: null));

        Assert.Equal(["1", "2"], Keys);
        Assert.Contains(Paths(server), path => path.Contains("updated >= \"2026-01-01 10:00\" ORDER BY updated ASC"));
    }

    [Fact]
    public async Task Okta_is_read_to_its_empty_page_and_goes_on_from_the_link_that_is_always_there()
    {
        var log = new List<string> { "a", "b", "c" };
        await using var server = Serve(
            (path, _) =>
            {
                var after = path.Contains("after=")
                    ? int.Parse(path.Split("after=")[1], System.Globalization.CultureInfo.InvariantCulture)
                    : 0;
                var page = log.Skip(after).Take(2).ToList();
                return Json(
                    $"[{string.Join(',', page.Select(id => $$"""{"uuid":"{{id}}","eventType":"user.session.start"}"""))}]",
                    $"Link: </api/v1/logs>; rel=\"self\"\r\nLink: </api/v1/logs?after={after + page.Count}>; rel=\"next\"\r\n"
                );
            }
        );
        var file = Path.Combine(Examples(), "okta.json");

        var first = await SyncRun.ToEndAsync(Dialect(server, "api/v1/logs", file));
        log.AddRange(["d", "e"]);
        var second = await SyncRun.ToEndAsync(Dialect(server, "api/v1/logs", dialect: null));
        var third = await SyncRun.ToEndAsync(Dialect(server, "api/v1/logs", dialect: null));

        Assert.Equal(("3 0 0", "2 0 0", "0 0 0"), (Counts(first), Counts(second), Counts(third)));
        Assert.Equal(["a", "b", "c", "d", "e"], Keys);
        Assert.Equal(
            [
                "/api/v1/logs",
                "/api/v1/logs?after=2",
                "/api/v1/logs?after=3",
                "/api/v1/logs?after=3",
                "/api/v1/logs?after=5",
                "/api/v1/logs?after=5",
            ],
            Paths(server)
        );
        Assert.All([first, second, third], run => Assert.True(run.Result.IsComplete));
    }

    [Fact]
    public async Task The_nodes_of_PuppetDB_come_in_pages_and_what_is_deactivated_goes()
    {
        var nodes = new SortedDictionary<string, int>
        {
            ["a"] = 1,
            ["b"] = 1,
            ["c"] = 1,
            ["d"] = 1,
            ["e"] = 1,
        };
        await using var server = Serve(
            (path, _) =>
            {
                Assert.Contains("""order_by=[{"field":"certname"}]""", path, StringComparison.Ordinal);
                var offset = path.Contains("offset=")
                    ? int.Parse(path.Split("offset=")[1], System.Globalization.CultureInfo.InvariantCulture)
                    : 0;
                var page = nodes.Skip(offset).Take(2).Select(node => $$"""{"certname":"{{node.Key}}","catalog":{{node.Value}}}""");
                return Json($"[{string.Join(',', page)}]");
            }
        );
        var file = Path.Combine(Examples(), "puppetdb.json");

        var first = await SyncRun.ToEndAsync(Dialect(server, "pdb/query/v4/nodes", file));
        nodes.Remove("b");
        nodes["d"] = 2;
        nodes["f"] = 1;
        var second = await SyncRun.ToEndAsync(Dialect(server, "pdb/query/v4/nodes", dialect: null));
        var third = await SyncRun.ToEndAsync(Dialect(server, "pdb/query/v4/nodes", dialect: null));

        Assert.Equal(("5 0 0", "1 1 1", "0 0 0"), (Counts(first), Counts(second), Counts(third)));
        Assert.Equal(nodes.Select(node => $$"""{"certname":"{{node.Key}}","catalog":{{node.Value}}}"""), Table().Split('\n'));
        Assert.All(Paths(server), path => Assert.Contains("limit=500", path, StringComparison.Ordinal));
        Assert.Contains(Paths(server), path => path.EndsWith("offset=4", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Consul_holds_the_request_until_something_has_changed_and_what_its_answer_lacks_is_gone()
    {
        var changes = new TaskCompletionSource();
        await using var server = new RawServer(async exchange =>
        {
            (var body, var index) = exchange.Number switch
            {
                1 => ("""{"ServiceID":"a","Port":1},{"ServiceID":"b"}""", 7),
                2 => ("""{"ServiceID":"a","Port":2},{"ServiceID":"c"}""", 8),
                _ => ("", 9),
            };
            if (exchange.Number == 2)
                await changes.Task;
            if (exchange.Number > 3)
                await Task.Delay(Timeout.Infinite, exchange.Stopping);
            await exchange.BodyAsync($"[{body}]", $"X-Consul-Index: {index}\r\nContent-Type: application/json\r\n");
        });
        var options = Dialect(
            server,
            "v1/catalog/service/web",
            Path.Combine(Examples(), "consul.json"),
            o => new SyncOptions
            {
                Feed = o.Feed,
                Store = o.Store,
                Foreign = o.Foreign,
                Follow = true,
                WantsChanges = true,
            }
        );
        var told = new List<string>();

        await foreach (var step in new TableSync(options).RunAsync(Cancellation))
        {
            if (step is not ChangesCommitted committed)
                continue;
            told.AddRange(committed.Changes.Select(change => $"{change.Kind} {change.Key}"));
            if (told.Count == 2)
                changes.TrySetResult();
            if (told.Count == 7)
                break;
        }

        Assert.Equal(["Added a", "Added b"], told.Take(2));
        Assert.Equal(["Added c", "Deleted b", "Updated a"], told.Skip(2).Take(3).Order());
        Assert.Equal(["Deleted a", "Deleted c"], told.Skip(5).Order());
        Assert.Equal(
            ["/v1/catalog/service/web", "/v1/catalog/service/web?index=7&wait=55s", "/v1/catalog/service/web?index=8&wait=55s"],
            Paths(server).Take(3)
        );
    }
}
