using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Serving;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>A key inside the record, at a JSON Pointer, in Lockstep's own dialects and on the way to the next table.</summary>
public sealed class NestedKeyTests : SyncTest
{
    private static string Pod(string name, long order, bool deleted = false) =>
        $$$"""{"metadata":{"name":"{{{name}}}","uid":"u-{{{name}}}","labels":{"uid":"no"}},"updated_at":{{{order}}},"deleted_at":"""
        + (deleted ? $"{order}}}" : "null}")
        + "\n";

    private static string Row(string name, long order, bool deleted = false) =>
        $$$"""{"txid":{{{order}}},"since":{{{order}}},"deleted":{{{(deleted ? "true" : "false")}}}"""
        + $$$""","data":{"metadata":{"uid":"u-{{{name}}}"},"uid":"no"}}"""
        + "\n";

    private SyncOptions Keyed(Uri feed, string path, params string[] keys) =>
        new()
        {
            Feed = new FeedOptions { Uri = feed },
            Store = new FileTableStore(Folder(path)),
            KeyFields = keys.Length > 0 ? keys : null,
            Settle = TimeSpan.FromMilliseconds(100),
            WantsChanges = true,
        };

    [Fact]
    public async Task Records_of_both_dialects_are_told_apart_by_it()
    {
        await using var records = RawServer.WithBodies(Pod("a", 1) + Pod("b", 2) + Pod("c", 3), Pod("a", 4, deleted: true) + Pod("b", 5));
        await using var rows = RawServer.WithBodies(Row("a", 1) + Row("b", 2) + Row("b", 3) + Row("a", 4, deleted: true));

        await SyncRun.ToEndAsync(Keyed(records.FeedUri, "records.db", "/metadata/uid"));
        await SyncRun.ToEndAsync(Keyed(records.FeedUri, "records.db"));
        await SyncRun.ToEndAsync(Keyed(rows.FeedUri, "rows.db", "/metadata/uid"));

        Assert.Equal(["u-b", "u-c"], SyncRun.Read(Folder("records.db")).Keys);
        Assert.Equal(["u-b"], SyncRun.Read(Folder("rows.db")).Keys);
        Assert.Equal(["/metadata/uid"], new Table(Folder("rows.db")).GetInfo().KeyFields);
        var query = new RecordQuery { Filter = "\"/metadata/uid\" = 'u-c'" };
        Assert.Equal(["u-c"], SyncRun.Read(Folder("records.db"), query).Keys);
    }

    [Fact]
    public async Task One_that_is_written_with_a_dot_is_told_its_pointer()
    {
        await using var server = RawServer.WithBodies(Pod("a", 1));

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Keyed(server.FeedUri, "x.db", "metadata.uid"));

        Assert.Contains("/metadata/uid", error.Remedy!.ToString());
    }

    [Fact]
    public async Task A_record_without_it_is_malformed_and_the_message_names_it()
    {
        await using var server = RawServer.WithBodies(
            Pod("a", 1) + """{"metadata":{"name":"b"},"updated_at":2,"deleted_at":null}""" + "\n"
        );

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Keyed(server.FeedUri, "x.db", "/metadata/uid"));

        Assert.Contains("'/metadata/uid'", error.Message);
    }

    [Fact]
    public async Task Several_may_be_one_key_and_a_name_may_hold_a_slash()
    {
        await using var server = RawServer.WithBodies(
            """{"m":{"a/b":1,"n":{"~":"x"}},"updated_at":1,"deleted_at":null}"""
                + "\n"
                + """{"m":{"a/b":1,"n":{"~":"y"}},"updated_at":2,"deleted_at":null}"""
                + "\n"
        );

        var run = await SyncRun.ToEndAsync(Keyed(server.FeedUri, "x.db", "/m/a~1b", "/m/n/~0"));

        Assert.Equal(2, run.Result.Added);
    }

    [Fact]
    public async Task A_table_of_such_keys_is_served_with_its_deletions_and_the_next_table_has_the_same_key()
    {
        await using var source = RawServer.WithBodies(Pod("a", 1) + Pod("b", 2), Pod("a", 3, deleted: true));
        await SyncRun.ToEndAsync(Keyed(source.FeedUri, "source.db", "/metadata/uid"));
        await using var server = await FeedServer.StartAsync(
            [await TableFeed.StartAsync(new TableFeedOptions { Path = Folder("source.db") }, cancellationToken: Cancellation)],
            new FeedServerOptions(),
            cancellationToken: Cancellation
        );
        var feed = new Uri(server.Uri, "servers");

        await SyncRun.ToEndAsync(Keyed(feed, "next.db"));
        Assert.Equal(["u-a", "u-b"], SyncRun.Read(Folder("next.db")).Keys);
        await SyncRun.ToEndAsync(Keyed(source.FeedUri, "source.db"));
        var second = await SyncRun.ToEndAsync(Keyed(feed, "next.db"));

        Assert.Equal((1, 0), (second.Result.Deleted, second.Result.Malformed));
        Assert.Equal(["u-b"], SyncRun.Read(Folder("next.db")).Keys);
        Assert.Equal(["/metadata/uid"], new Table(Folder("next.db")).GetInfo().KeyFields);
    }

    [Theory]
    [InlineData("/metadata/~2")]
    [InlineData("/a~")]
    public void A_pointer_that_is_none_is_refused(string key)
    {
        Assert.False(FieldPath.IsValid(key));
        Assert.Null(KeyAnnouncement.Parse($"[\"{key}\"]"));
    }
}
