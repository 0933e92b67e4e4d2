using System.Runtime.CompilerServices;
using Lockstep.Engine.Dialects;
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
}
