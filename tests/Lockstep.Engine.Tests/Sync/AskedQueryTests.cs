using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>A table holds what one query asks for: with another query, what is below its cursor would silently stay as it is.</summary>
public sealed class AskedQueryTests : SyncTest
{
    [Fact]
    public async Task Another_query_is_refused_before_the_feed_is_asked_and_the_error_names_the_ways_out()
    {
        await using var server = Serving();
        await SyncRun.ToEndAsync(Asking(server, "red"));

        (var error, _) = await SyncRun.ToErrorAsync<TableMismatchException>(Asking(server, "blue"));
        await SyncRun.ToErrorAsync<TableMismatchException>(Asking(server, null));

        Assert.Single(server.Requests);
        Assert.Contains("another query", error.Message, StringComparison.Ordinal);
        Assert.Contains("Resync", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Contains("TablePath", error.RecommendedAction, StringComparison.Ordinal);
        await SyncRun.ToEndAsync(Asking(server, "red"));
        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task A_resync_by_another_query_makes_it_the_tables_own()
    {
        await using var server = Serving();
        await SyncRun.ToEndAsync(Asking(server, "red"));

        await SyncRun.ToEndAsync(Asking(server, "blue", resync: true));

        Assert.Equal(["3", "4"], Keys);
        await SyncRun.ToEndAsync(Asking(server, "blue"));
        await SyncRun.ToErrorAsync<TableMismatchException>(Asking(server, "red"));
        Assert.Equal(["3", "4"], Keys);
    }

    [Fact]
    [Trait("Invariant", "I6")]
    public async Task A_resync_that_was_cut_off_leaves_the_table_to_the_query_before()
    {
        var isCut = false;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Of(exchange.Head));
            if (!isCut)
                await exchange.LastChunkAsync();
        });
        await SyncRun.ToEndAsync(Asking(server, "red"));
        isCut = true;

        await SyncRun.ToErrorAsync<FeedCutException>(Asking(server, "blue", resync: true));
        isCut = false;

        await SyncRun.ToErrorAsync<TableMismatchException>(Asking(server, "blue"));
        Assert.Equal(["1", "2"], Keys);
        await SyncRun.ToEndAsync(Asking(server, "red"));
    }

    [Fact]
    public async Task Who_says_that_both_ask_for_the_same_goes_on_from_the_cursor()
    {
        await using var server = Serving();
        await SyncRun.ToEndAsync(Asking(server, "red"));

        await SyncRun.ToEndAsync(Asking(server, "blue", rebind: true));

        Assert.Equal(["0?color=red", "20?color=blue"], server.Cursors);
        await SyncRun.ToEndAsync(Asking(server, "blue"));
        await SyncRun.ToErrorAsync<TableMismatchException>(Asking(server, "red"));
    }

    [Fact]
    [Trait("Invariant", "I9")]
    public async Task Secrets_and_the_order_of_the_options_do_not_count_and_none_is_kept()
    {
        await using var server = Serving();
        await SyncRun.ToEndAsync(Asking(server, "red", [new("token", "first-secret"), new("size", "1")]));
        await SyncRun.ToEndAsync(Asking(server, null, [new("size", "1"), new("token", "second-secret"), new("color", "red")]));

        Assert.Equal(["1", "2"], Keys);
        var bytes = Convert.ToHexString(await File.ReadAllBytesAsync(TablePath, Cancellation));
        Assert.DoesNotContain(Convert.ToHexString("-secret"u8), bytes, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_of_an_earlier_version_takes_the_query_that_comes_first()
    {
        await using var server = Serving();
        await SyncRun.ToEndAsync(Asking(server, "red"));
        using (var connection = new SqliteConnection($"Data Source={TablePath};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "DROP TABLE lockstep_query";
            command.ExecuteNonQuery();
        }

        await SyncRun.ToEndAsync(Asking(server, "red"));

        await SyncRun.ToErrorAsync<TableMismatchException>(Asking(server, "blue"));
    }

    [Fact]
    public async Task An_emptied_table_is_any_querys()
    {
        await using var server = Serving();
        await SyncRun.ToEndAsync(Asking(server, "red"));
        new Table(TablePath).Clear();

        await SyncRun.ToEndAsync(Asking(server, "blue"));

        Assert.Equal(["3", "4"], Keys);
    }

    private static RawServer Serving() => new(exchange => exchange.BodyAsync(Of(exchange.Head)));

    private static string Of(string head) =>
        head.Contains("color=red", StringComparison.Ordinal) ? Record(1, 10) + Record(2, 20) : Record(3, 10) + Record(4, 20);

    private SyncOptions Asking(
        RawServer server,
        string? color,
        IEnumerable<KeyValuePair<string, string>>? more = null,
        bool resync = false,
        bool rebind = false
    ) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri, Query = color is null ? [.. more ?? []] : [new("color", color), .. more ?? []] },
            Store = new FileTableStore(TablePath),
            Settle = TimeSpan.FromMilliseconds(300),
            Resync = resync,
            Rebind = rebind,
        };
}
