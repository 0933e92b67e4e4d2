using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>The tag of a whole set that is one answer, kept with the records that it stands for.</summary>
public sealed class EntityTagTests : DialectTest
{
    private const string List = """{ "From": "Rest", "Next": null }""";

    [Fact]
    public async Task The_next_process_asks_by_the_tag_and_nothing_comes_where_nothing_changed()
    {
        await using var server = Tagged(_ => "t1");

        await SyncRun.ToEndAsync(Dialect(server, "items", List));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", dialect: null));
        var third = await SyncRun.ToEndAsync(Dialect(server, "items", List));

        Assert.Equal(["-", "t1", "t1"], Conditions(server));
        Assert.Equal(("0 0 0", "0 0 0", true), (Counts(second), Counts(third), third.Result.IsComplete));
        Assert.Equal("""{"id":1}""", Table());
    }

    [Fact]
    public async Task What_changed_brings_another_tag()
    {
        await using var server = Tagged(number => number < 3 ? "t1" : "t2", number => number < 3 ? 1 : 2);

        for (var i = 0; i < 4; i++)
            await SyncRun.ToEndAsync(Dialect(server, "items", List));

        Assert.Equal(["-", "t1", "t1", "t2"], Conditions(server));
        Assert.Equal("""{"id":2}""", Table());
    }

    [Theory]
    [InlineData("resync")]
    [InlineData("repair")]
    [InlineData("dialect")]
    [InlineData("query")]
    [InlineData("transform")]
    public async Task What_may_need_other_records_asks_for_all(string change)
    {
        await using var server = Tagged(_ => "t1");
        await SyncRun.ToEndAsync(Dialect(server, "items", List));

        await SyncRun.ToEndAsync(
            Dialect(
                server,
                change == "query" ? "items?all=1" : "items",
                change == "dialect" ? """{ "From": "Rest", "Next": null, "Drop": "x" }""" : List,
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Resync = change == "resync",
                    Repair = change == "repair",
                    Transforms = change == "transform",
                }
            )
        );

        Assert.Equal(["-", "-"], Conditions(server));
    }

    [Fact]
    public async Task What_a_script_made_of_the_records_is_made_again()
    {
        await using var server = Tagged(_ => "t1");
        var options = Dialect(
            server,
            "items",
            List,
            o => new SyncOptions
            {
                Feed = o.Feed,
                Store = o.Store,
                Foreign = o.Foreign,
                Transforms = true,
            }
        );
        await SyncRun.ToEndAsync(options, step => (step as RecordsToTransform)?.Records[0].Replace("""{"id":1,"n":1}"""u8.ToArray()));

        await SyncRun.ToEndAsync(Dialect(server, "items", List));

        Assert.Equal(["-", "-"], Conditions(server));
        Assert.Equal("""{"id":1}""", Table());
    }

    [Fact]
    public async Task A_set_that_was_refused_or_could_not_be_read_in_full_leaves_no_tag_of_it()
    {
        await using var server = Serve(
            (_, number) =>
                number switch
                {
                    1 => Json("""[{"id":1},{"id":2}]""", "ETag: \"t1\"\r\n"),
                    2 => Json("[]", "ETag: \"t2\"\r\n"),
                    3 => Json("""[{"id":1},{"no":2}]""", "ETag: \"t3\"\r\n"),
                    _ => Json("""[{"id":1},{"id":2}]""", "ETag: \"t4\"\r\n"),
                }
        );
        SyncOptions Options(bool force = false) =>
            Dialect(
                server,
                "items",
                List,
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    MalformedRecord = MalformedRecordPolicy.Quarantine,
                    Force = force,
                }
            );

        await SyncRun.ToEndAsync(Options());
        await SyncRun.ToErrorAsync<SweepRefusedException>(Options());
        await SyncRun.ToEndAsync(Options(force: true));
        await SyncRun.ToEndAsync(Options(force: true));

        Assert.Equal(["-", "t1", "t1", "-"], Conditions(server));
    }

    [Fact]
    public async Task A_list_that_may_have_more_pages_is_asked_for_without_a_condition()
    {
        await using var server = Tagged(_ => "t1");

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal(["-", "-"], Conditions(server));
    }

    /// <summary>A server with one record, which answers 304 to the tag that it would send.</summary>
    private static RawServer Tagged(Func<int, string> tag, Func<int, int>? id = null) =>
        new(exchange =>
            exchange.Head.Contains($"If-None-Match: \"{tag(exchange.Number)}\"", StringComparison.Ordinal)
                ? exchange.StatusAsync("304 Not Modified")
                : exchange.BodyAsync(
                    $$"""[{"id":{{id?.Invoke(exchange.Number) ?? 1}}}]""",
                    $"ETag: \"{tag(exchange.Number)}\"\r\nContent-Type: application/json\r\n"
                )
        );

    private static IEnumerable<string> Conditions(RawServer server) =>
        server.Requests.Select(head => head.Contains("If-None-Match: ") ? head.Split("If-None-Match: \"")[1].Split('"')[0] : "-");
}
