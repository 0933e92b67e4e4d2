using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Serving;
using Lockstep.Engine.Tests.Sync;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>
/// Table files of every earlier format, written by the code of their time: <c>Formats/table-N.db</c> is of format N, with 38 records, one
/// that the feed deleted (7), one that a whole set lacked (9), and a malformed one in the quarantine. Files of later formats are refused.
/// </summary>
public sealed class FormatTests : SyncTest
{
    private const string Identity = "Lockstep-Feed: fixture\r\n";

    public static TheoryData<string> Files =>
        [
            .. Directory
                .EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Formats"), "table-*.db")
                .Select(path => Path.GetFileName(path))
                .Order(),
        ];

    [Fact]
    public void There_is_a_file_of_each_format() =>
        Assert.All(Enumerable.Range(1, TableFormat.Current), format => Assert.Contains($"table-{format}.db", Files.Select(f => f.Data)));

    [Theory]
    [MemberData(nameof(Files))]
    public async Task A_file_of_an_earlier_format_is_read_served_synced_and_repaired(string file)
    {
        Take(file);
        var before = Info;
        Assert.Equal((38L, 2L, "40", 1L), (before.Rows, before.Tombstones, before.Cursor.ToString(), before.Quarantined));
        Assert.Equal(38, Keys.Count);
        Assert.Single(new Table(TablePath).ReadQuarantined());

        // Served as it is, before anybody has written to it.
        await using (var feed = await TableFeed.StartAsync(new TableFeedOptions { Path = TablePath }, cancellationToken: Cancellation))
        {
            var client = new RelayClient(feed);
            await client.CatchUpAsync();
            Assert.Equal(38, client.Rows.Count);
        }

        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(
                exchange.Cursor == "40"
                    ? Record(40, 40, """,  "name": "server 40" """) + Record(41, 41) + Gone(1, 42)
                    : string.Concat(Enumerable.Range(10, 40).Select(id => Record(id, id + 100))),
                Identity
            )
        );
        var synced = await SyncRun.ToEndAsync(Options(server, rebind: true));
        Assert.Equal((1L, 1L, "42"), (synced.Result.Added, synced.Result.Deleted, synced.Result.Cursor.ToString()));
        Assert.Equal("40", server.Cursors.First());
        Assert.Contains("Lockstep-Feed: fixture", server.Requests.First(), StringComparison.Ordinal);
        Assert.Equal(TableFormat.Current, Scalar("PRAGMA user_version"));

        await SyncRun.ToEndAsync(With(server, repair: true));
        Assert.Equal((40L, 0L), (Info.Rows, Scalar("SELECT count(*) FROM lockstep_row WHERE key < 10 AND gone = 0")));
        Assert.Equal("ok", Text("PRAGMA integrity_check"));
    }

    [Fact]
    public async Task The_columns_of_a_later_format_work_in_a_file_of_the_first_one()
    {
        Take("table-1.db");

        // A set whose only sign of completeness is its end, and which would remove most of the table, is owed: that is a column of the
        // second format.
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync(Identity);
            await exchange.ChunkAsync(Record(1, 1));
            await exchange.LastChunkAsync();
        });
        await SyncRun.ToErrorAsync<SweepRefusedException>(Options(server, resync: true, rebind: true));
        Assert.True(Info.IsSetOwed);

        await SyncRun.ToEndAsync(With(server, resync: true, sweepLimit: 100));

        Assert.Equal((1L, 100L), (Info.Rows, Scalar("SELECT sweep_limit FROM lockstep_table")));
        Assert.Equal((long)FeedEnding.Ends, Scalar("SELECT feed_ending FROM lockstep_table"));
    }

    [Fact]
    public async Task A_file_of_a_newer_format_is_refused_by_name_and_stays_as_it_is()
    {
        await using var server = RawServer.WithBodies(Record(1, 1));
        await SyncRun.ToEndAsync(Options(server));
        Sql($"PRAGMA user_version={TableFormat.Current + 1}; ALTER TABLE lockstep_table RENAME COLUMN cursor TO place");
        var bytes = await File.ReadAllBytesAsync(TablePath, Cancellation);
        var table = new Table(TablePath);
        var (error, _) = await SyncRun.ToErrorAsync<TableFileException>(Options(server));

        Assert.Contains(
            $"was written by a newer Lockstep (format {TableFormat.Current + 1}, this one reads up to {TableFormat.Current})",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("Update Lockstep", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Throws<TableFileException>(table.GetInfo);
        Assert.Throws<TableFileException>(() => table.Read());
        Assert.Throws<TableFileException>(table.Clear);
        Assert.Throws<TableFileException>(table.Remove);
        Assert.Throws<TableFileException>(() => table.Backup(Folder("copy.db")));
        await Assert.ThrowsAsync<TableFileException>(() =>
            TableFeed.StartAsync(new TableFeedOptions { Path = TablePath }, cancellationToken: Cancellation)
        );
        Assert.Equal(bytes, await File.ReadAllBytesAsync(TablePath, Cancellation));
        Assert.False(File.Exists(Folder("copy.db")));
    }

    private SyncOptions With(RawServer server, bool repair = false, bool resync = false, int? sweepLimit = null) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = new FileTableStore(TablePath),
            Settle = TimeSpan.FromMilliseconds(300),
            Rebind = true,
            Repair = repair,
            Resync = resync,
            SweepLimit = sweepLimit,
        };

    private void Take(string file) => File.Copy(Path.Combine(AppContext.BaseDirectory, "Formats", file), TablePath);

    private long Scalar(string sql) => (long)Read(sql)!;

    private string Text(string sql) => (string)Read(sql)!;

    private void Sql(string sql) => Read(sql);

    private object? Read(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={TablePath};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
