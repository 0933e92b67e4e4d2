using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Serving;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The key that a feed announces (Lockstep-Key): who takes it, and what happens if another one was named or used.</summary>
public sealed class AnnouncedKeyTests : SyncTest
{
    private const string Records = """
        {"tenant":1,"id":1,"updated_at":1}
        {"tenant":1,"id":2,"updated_at":2}
        {"tenant":2,"id":1,"updated_at":3}
        {"tenant":2,"id":2,"updated_at":4}

        """;

    private const string Announced = "Lockstep-Key: [\"tenant\",\"id\"]\r\n";

    [Fact]
    public async Task A_table_of_a_key_of_several_fields_is_served_and_the_copy_has_all_its_records()
    {
        await using var source = RawServer.WithBodies(Records);
        await SyncRun.ToEndAsync(Keyed(source.FeedUri, "t.db", "tenant", "id"));
        await using var server = await FeedServer.StartAsync(
            [await TableFeed.StartAsync(new TableFeedOptions { Path = Folder("t.db") }, cancellationToken: Cancellation)],
            new FeedServerOptions(),
            cancellationToken: Cancellation
        );

        foreach (var path in (string[])["servers", "servers/pages"])
        {
            var copy = path.Replace('/', '-') + ".db";
            await SyncRun.ToEndAsync(Keyed(new Uri(server.Uri, path), copy));

            Assert.Equal(["1,1", "1,2", "2,1", "2,2"], SyncRun.Read(Folder(copy)).Keys);
            Assert.Equal(["tenant", "id"], new Table(Folder(copy)).GetInfo().KeyFields);
        }
    }

    [Fact]
    public async Task A_key_that_the_user_names_wins_with_a_warning()
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Records, Announced));

        var run = await SyncRun.ToEndAsync(Keyed(server.FeedUri, "t.db", "updated_at"));

        Assert.Equal(4, run.Result.Added);
        Assert.Equal(["updated_at"], new Table(Folder("t.db")).GetInfo().KeyFields);
        var warning = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning).Message;
        Assert.Contains("its key is 'tenant, id'", warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_that_was_filled_by_another_key_is_refused_with_what_rebuilds_it()
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Records, exchange.Number == 1 ? "" : Announced));
        await SyncRun.ToEndAsync(Keyed(server.FeedUri, "t.db"));
        Assert.Equal(["1", "2"], SyncRun.Read(Folder("t.db")).Keys);

        var (error, _) = await SyncRun.ToErrorAsync<TableMismatchException>(Keyed(server.FeedUri, "t.db"));

        Assert.Contains("'tenant, id'", error.Message, StringComparison.Ordinal);
        Assert.Contains("Table.Clear", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal(["1", "2"], SyncRun.Read(Folder("t.db")).Keys);

        new Table(Folder("t.db")).Clear();
        await SyncRun.ToEndAsync(Keyed(server.FeedUri, "t.db"));
        Assert.Equal(4, SyncRun.Read(Folder("t.db")).Count);
    }

    [Fact]
    public async Task A_comparison_of_such_a_table_says_that_the_feed_has_another_key()
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Records, exchange.Number == 1 ? "" : Announced));
        await SyncRun.ToEndAsync(Keyed(server.FeedUri, "t.db"));

        var events = new List<FeedEvent>();
        await foreach (var step in new TableComparison(Keyed(server.FeedUri, "t.db")).RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred happened)
                events.Add(happened.Event);
        }

        Assert.Contains(
            events,
            e => e.Kind == FeedEventKind.Warning && e.Message.Contains("its key is 'tenant, id'", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("id")]
    [InlineData("{\"id\":1}")]
    [InlineData("[1]")]
    [InlineData("[\"a\",\"a\"]")]
    public async Task A_feed_that_announces_no_key_is_synced_as_one_without_the_header(string header)
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Record(1, 1) + Record(2, 2), $"Lockstep-Key: {header}\r\n"));

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Equal(["id"], Info.KeyFields);
    }

    [Fact]
    public void A_name_of_any_letters_is_ASCII_on_the_wire()
    {
        string[] key = ["größe", "日\"本", "\r\nX: 1"];

        var header = KeyAnnouncement.Format(key);

        Assert.All(header, c => Assert.InRange(c, ' ', '~'));
        Assert.Contains("\\u00F6", header, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(key, KeyAnnouncement.Parse(header));
        Assert.Equal("[]", KeyAnnouncement.Format([]));
    }

    private SyncOptions Keyed(Uri feed, string path, params string[] keys) =>
        new()
        {
            Feed = new FeedOptions { Uri = feed },
            Store = new FileTableStore(Folder(path)),
            KeyFields = keys.Length > 0 ? keys : null,
            Settle = TimeSpan.FromMilliseconds(300),
        };
}
