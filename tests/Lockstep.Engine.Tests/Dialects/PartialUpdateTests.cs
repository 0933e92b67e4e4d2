using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Feeds that send only the fields that changed: what they cannot be combined with, and what the table then lacks.</summary>
public sealed class PartialUpdateTests : DialectTest
{
    private const string Users = "v1.0/users/delta";
    private const string Part = "stored with those fields alone";

    [Theory]
    [InlineData("ODataDelta")]
    [InlineData("""{ "From": "ODataDelta", "Update": "Replace", "Changes": { "Update": "Merge" } }""")]
    [InlineData(null)]
    public async Task Parts_of_records_are_not_transformed_whoever_chose_the_dialect(string? dialect)
    {
        await using var server = Serve((_, _) => Json(Page("""{"id":"a"}""", 1)));

        await SyncRun.ToErrorAsync<TableMismatchException>(Dialect(server, Users, dialect, Transforming));

        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Nor_are_those_of_a_table_that_knows_its_dialect()
    {
        await using var server = Serve((_, number) => Json(Page("""{"id":"a","n":1}""", number)));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        await SyncRun.ToErrorAsync<TableMismatchException>(Dialect(server, Users, dialect: null, Transforming));

        Assert.Equal(("""{"id":"a","n":1}""", 1), (Table(), server.Requests.Count));
    }

    [Fact]
    public async Task Records_that_come_whole_may_be_transformed()
    {
        await using var server = Serve((_, _) => Json(Page("""{"id":"a"}""", 1)));

        await SyncRun.ToEndAsync(
            Dialect(server, Users, """{ "From": "ODataDelta", "Update": "Replace" }""", Transforming),
            step => (step as RecordsToTransform)?.Records[0].Replace("""{"id":"a","n":1}"""u8.ToArray())
        );

        Assert.Equal("""{"id":"a","n":1}""", Table());
    }

    [Theory]
    [InlineData("v1.0/users/delta", true)]
    [InlineData("v1.0/users/delta?$deltatoken=latest", false)]
    [InlineData("v1.0/me/drive/items/1/delta?token=latest", false)]
    public async Task Who_starts_in_the_middle_is_told_once_that_records_may_be_partial(string path, bool isSince)
    {
        await using var server = Serve(
            (_, number) => Json(number == 1 && !isSince ? Page("", number) : Page("""{"id":"a","n":1}""", number))
        );
        SyncOptions Options(bool since) =>
            Dialect(
                server,
                path,
                "ODataDelta",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Since = since ? "/delta?$deltatoken=x" : null,
                }
            );

        var first = await SyncRun.ToEndAsync(Options(isSince));
        var second = await SyncRun.ToEndAsync(Options(since: false));

        Assert.Single(first.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains(Part));
        Assert.DoesNotContain(second.Events, e => e.Message.Contains(Part));
    }

    [Fact]
    public async Task Who_starts_at_the_beginning_is_told_nothing()
    {
        await using var server = Serve((_, number) => Json(Page("""{"id":"a"}""", number)));

        var run = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_whole_set_of_an_address_that_asks_for_what_is_new_is_not_empty(bool expires)
    {
        await using var server = Serve(
            (path, number) =>
                path.Contains("latest") ? Json(Page("", 1))
                : path.Contains("deltatoken")
                    ? expires && number > 2 ? Status("410 Gone")
                        : Json(Page("""{"id":"a","n":1}""", 2))
                : Json(Page("""{"id":"a","n":1,"m":1},{"id":"b"}""", 3))
        );
        SyncOptions Options(bool resync = false) =>
            Dialect(
                server,
                Users + "?$deltatoken=latest",
                "ODataDelta",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Resync = resync,
                }
            );

        await SyncRun.ToEndAsync(Options());
        await SyncRun.ToEndAsync(Options());
        Assert.Equal("""{"id":"a","n":1}""", Table());
        await SyncRun.ToEndAsync(Options(resync: !expires));

        Assert.Equal("""{"id":"a","n":1,"m":1}""" + "\n" + """{"id":"b"}""", Table());
    }

    private static string Page(string items, int token) =>
        $$"""{"value":[{{items}}],"@odata.deltaLink":"/v1.0/users/delta?$deltatoken={{token}}"}""";

    private static SyncOptions Transforming(SyncOptions o) =>
        new()
        {
            Feed = o.Feed,
            Store = o.Store,
            Foreign = o.Foreign,
            Transforms = true,
        };
}
