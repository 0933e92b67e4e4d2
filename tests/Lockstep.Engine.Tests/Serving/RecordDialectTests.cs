using System.Buffers;
using System.Net;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Engine.Tests.Tables;
using Lockstep.Serving;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>
/// A synced table that is served in the record dialect (R1): the original's client and our own follow it, and nothing is lost or duplicated
/// across late records, sweeps, restarts and equal order values.
/// </summary>
public sealed class RecordDialectTests : SyncTest
{
    private readonly TestTable _table = new();

    protected override void Dispose(bool disposing)
    {
        _table.Dispose();
        base.Dispose(disposing);
    }

    [Theory]
    [InlineData(
        """{"txid":7,"current_xmin":9,"since":7,"deleted":false,"data":{"id": 1, "updated_at": 999 ,"deleted_at":null"""
            + ""","a":{"updated_at":1}}}""",
        """{"id": 1, "updated_at": 7 ,"deleted_at":null,"a":{"updated_at":1}}"""
    )]
    [InlineData(
        """{"txid":7,"current_xmin":9,"since":7,"deleted":true,"data":{"id":1,"updated_at":999,"deleted_at":1000}}""",
        """{"id":1,"updated_at":7,"deleted_at":1000}"""
    )]
    [InlineData(
        """{"txid":7,"current_xmin":9,"since":7,"deleted":true,"data":{"id":1,"deleted_at":null,"updated_at":"x"}}""",
        """{"id":1,"deleted_at":7,"updated_at":7}"""
    )]
    [InlineData(
        """{"txid":7,"current_xmin":9,"since":7,"deleted":true,"data":{"id":1,"deleted_at":""}}""",
        """{"id":1,"deleted_at":7,"updated_at":7}"""
    )]
    [InlineData("""{"txid":7,"current_xmin":9,"since":7,"deleted":false,"data":{}}""", """{"updated_at":7}""")]
    [InlineData("""{"txid":7,"current_xmin":9,"since":7,"deleted":true,"data":{"id":1}}""", """{"id":1,"updated_at":7,"deleted_at":7}""")]
    [InlineData(
        """{"txid":7,"current_xmin":9,"since":7,"deleted":false,"data":{"updated\u005fat":1,"s":"}\"deleted_at\":1"}}""",
        """{"updated\u005fat":7,"s":"}\"deleted_at\":1"}"""
    )]
    public void A_row_becomes_a_record_whose_order_field_is_the_sequence(string line, string record)
    {
        var output = new ArrayBufferWriter<byte>();
        RecordLine.Write(Encoding.UTF8.GetBytes(line), "updated_at", output);
        Assert.Equal(record + "\n", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_originals_client_follows_across_late_records_sweeps_and_equal_order_values(bool inPath)
    {
        _table.Apply(Json(1, 5), Json(2, 5), Json(3, 5), Json(4, 9), Gone(5));
        await using var server = await ServeAsync();
        var client = new OriginalClient(FeedOf(server));
        await client.ReadAsync(inPath: inPath);
        Assert.Equal([1, 2, 3, 4], client.Table.Keys);
        Assert.Equal(4, client.Received);

        // Below everything before it, at an order value that came before, and deleted.
        _table.Apply(Json(6, 1), Json(2, 5, "again"), Gone(1));
        Sweep(kept: [2, 3, 6]);
        await client.ReadAsync(inPath: inPath);

        Assert.Equal([2, 3, 6], client.Table.Keys);
        Assert.Contains("again", client.Table[2], StringComparison.Ordinal);
        Assert.Equal(_table.Table.GetInfo().Sequence, client.Cursor);
        var before = client.Received;
        await client.ReadAsync(inPath: inPath);
        Assert.Equal(1, client.Received - before);
    }

    [Fact]
    public async Task A_client_that_is_cut_off_anywhere_and_a_relay_that_starts_again_lose_nothing()
    {
        var random = new Random(25);
        var client = new OriginalClient(new Uri("http://127.0.0.1:1/table"));
        var (truth, order) = (new SortedSet<long>(), 0L);
        for (var round = 0; round < 30; round++)
        {
            for (var n = 0; n < 20; n++)
            {
                var id = random.Next(1, 40);
                order += random.Next(3) - 1;
                var at = Math.Max(1, order - random.Next(5));
                _table.Apply(
                    random.Next(4) == 0
                        ? Record(id, at, ""","v":0""").Replace("null", $"{at}", StringComparison.Ordinal).TrimEnd()
                        : Json(id, at, $"{round}.{n}")
                );
            }

            if (round % 7 == 6)
                Sweep(kept: [.. _table.Live.Keys.Select(int.Parse).Where(_ => random.Next(3) > 0)]);
            await using var server = await ServeAsync();
            client.Feed = FeedOf(server);
            for (var cuts = random.Next(4); cuts > 0; cuts--)
                await client.ReadAsync(most: random.Next(1, 15));
            if (round % 3 != 2)
                continue;
            await client.ReadAsync();
            truth = [.. _table.Live.Keys.Select(long.Parse)];
            Assert.Equal(truth, client.Table.Keys);
        }

        Assert.NotEmpty(truth);
    }

    [Fact]
    public async Task Our_own_client_follows_as_it_follows_the_original_and_a_chain_ends_with_the_same_records()
    {
        _table.Apply(Enumerable.Range(1, 300).Select(id => Json(id, 300 - id)));
        await using var server = await ServeAsync();
        var first = await SyncRun.ToEndAsync(To(server));
        Assert.Equal((300L, 0L), (first.Result.Added, first.Result.OutOfOrder));

        _table.Apply(Json(301, 1), Gone(7));
        Sweep(kept: Enumerable.Range(1, 301).Except([7, 8, 9]));
        var second = await SyncRun.ToEndAsync(To(server));

        Assert.Equal((1L, 3L), (second.Result.Added, second.Result.Deleted));
        Assert.Equal(_table.Live.Keys, Keys);
        var third = await SyncRun.ToEndAsync(To(server));
        Assert.Equal((0L, true), (third.Changes.Count, third.Result.IsComplete));

        // The resulting table is served in turn.
        await using var next = await ServeAsync(TablePath);
        var client = new OriginalClient(FeedOf(next, "servers"));
        await client.ReadAsync();
        Assert.Equal(Keys.Select(long.Parse).Order(), client.Table.Keys);
    }

    [Fact]
    public async Task Our_own_client_learns_where_a_whole_set_ends_and_keeps_nothing_that_is_gone()
    {
        _table.Apply(Enumerable.Range(1, 50).Select(id => Json(id, id)));
        await using var server = await ServeAsync();
        await SyncRun.ToEndAsync(To(server));

        Sweep(kept: Enumerable.Range(1, 10));
        var run = await SyncRun.ToEndAsync(To(server, resync: true));

        Assert.Equal((SyncOutcome.Complete, 40L), (run.Result.Outcome, run.Result.Swept));
        Assert.Equal(_table.Live.Keys, Keys);
    }

    [Fact]
    public async Task Live_changes_come_at_once_each_in_a_chunk_of_its_own()
    {
        _table.Apply(Json(1, 1));
        await using var server = await ServeAsync();
        var client = new OriginalClient(FeedOf(server));
        await client.ReadAsync();
        var following = client.FollowToAsync(4);
        _table.Apply(Json(2, 2), Json(3, 3));
        _table.Apply(Gone(1));
        await following;
        Assert.Equal([2, 3], client.Table.Keys);
    }

    [Fact]
    public async Task A_cursor_that_this_relay_never_gave_out_is_refused()
    {
        _table.Apply(Json(1, 1_795_000_000));
        await using var server = await ServeAsync();
        using var http = new HttpClient();
        var feed = FeedOf(server);

        // Like that of a client that followed the original before: here cursors are sequence numbers.
        using var ahead = await http.GetAsync(new Uri($"{feed}?since=1795000000"), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal(HttpStatusCode.Conflict, ahead.StatusCode);
        using var pages = await http.GetAsync(new Uri($"{feed}/pages"), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, pages.StatusCode);

        _table.Apply(Record(1, 1_795_000_001).Replace("null", "1", StringComparison.Ordinal).TrimEnd());
        _table.Writer.ClearTombstones(Lockstep.Engine.Records.Cursor.Parse("9999999999"));
        using var cleared = await http.GetAsync(new Uri($"{feed}?since=1"), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal(HttpStatusCode.Gone, cleared.StatusCode);
    }

    [Fact]
    public async Task A_table_without_records_is_synced_at_once()
    {
        _table.Apply(Json(1, 1));
        _table.Apply(Gone(1));
        await using var server = await ServeAsync();

        var run = await SyncRun.ToEndAsync(To(server));

        Assert.Equal((SyncEndReason.CaughtUp, 0L, true), (run.Result.EndReason, run.Result.Received, run.Result.IsComplete));
    }

    [Fact]
    public async Task That_a_heartbeat_tells_that_there_is_nothing_more_is_said_where_none_comes_otherwise()
    {
        _table.Apply(Json(1, 1));
        await using var server = await ServeAsync();
        using var http = new HttpClient();
        foreach (
            var (query, accept, said) in ((string, string, string)[])
                [("", "*/*", "heartbeat"), ("?where=id>1", "*/*", ""), ("?where=id>1", "application/x-ndjson", "heartbeat")]
        )
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{FeedOf(server)}{query}"));
            request.Headers.Accept.ParseAdd(accept);
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
            response.Headers.TryGetValues("Lockstep-Caught-Up", out var values);
            Assert.Equal(said, string.Concat(values ?? []));
        }
    }

    [Fact]
    public async Task The_order_field_is_the_tables_own_and_a_filter_holds()
    {
        using var table = new TestTable(order: "version");
        table.Apply("""{"id":1,"version":"7","v":1,"deleted_at":null}""", """{"id":2,"version":"8","v":2,"deleted_at":null}""");
        await using var server = await ServeAsync(table.Path);
        var client = new OriginalClient(new Uri($"{FeedOf(server)}"), "version");
        await client.ReadAsync();
        Assert.Equal("""{"id":1,"version":1,"v":1,"deleted_at":null}""", client.Table[1]);

        using var http = new HttpClient();
        using var response = await http.GetAsync(
            new Uri($"{FeedOf(server)}?where=v>1"),
            HttpCompletionOption.ResponseHeadersRead,
            Cancellation
        );
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        Assert.Equal("""{"id":2,"version":2,"v":2,"deleted_at":null}""", await reader.ReadLineAsync(Cancellation));
        Assert.Equal("""{"heartbeat":true}""", await reader.ReadLineAsync(Cancellation));
    }

    private static string Json(int id, long order, string value = "") => Record(id, order, $",\"v\":\"{value}\"").TrimEnd();

    private static string Gone(int id) => Gone(id, 1000 + id).TrimEnd();

    private static Uri FeedOf(FeedServer server, string table = "table") => new(server.Uri, table);

    private Task<FeedServer> ServeAsync() => ServeAsync(_table.Path);

    private static async Task<FeedServer> ServeAsync(string path) =>
        await FeedServer.StartAsync(
            [
                await TableFeed.StartAsync(
                    new TableFeedOptions
                    {
                        Path = path,
                        Dialect = ServedDialect.Record,
                        PageBytes = 2048,
                        PollInterval = TimeSpan.FromMilliseconds(5),
                    },
                    cancellationToken: Cancellation
                ),
            ],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
            cancellationToken: Cancellation
        );

    private SyncOptions To(FeedServer server, bool resync = false) =>
        new()
        {
            Resync = resync,
            Feed = new FeedOptions { Uri = FeedOf(server), CursorStyle = CursorStyle.Query },
            Store = new FileTableStore(TablePath),
            TableName = "servers",
            WantsChanges = true,
        };

    private void Sweep(IEnumerable<int> kept)
    {
        var live = _table.Live;
        _table.Snapshot(SnapshotEnding.Sweep, kept.Select(id => live[$"{id}"]));
    }
}
