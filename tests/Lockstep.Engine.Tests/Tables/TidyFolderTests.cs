using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>
/// There are no SQLite files beside a table that nobody has open: anyone who copies the file takes an existing log for a part of it.
/// </summary>
public sealed class TidyFolderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string FilePath => _folder["table.db"];

    private Table Table => new(FilePath);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Whatever_reads_a_table_leaves_nothing_beside_it()
    {
        Fill();

        RequireTidy("GetInfo", () => Table.GetInfo());
        RequireTidy("Read", () => Count(Table));
        RequireTidy("Count", () => Table.Count(new RecordQuery { Filter = "id > 1" }));
        RequireTidy("ReadQuarantined", () => _ = Table.ReadQuarantined().Count());
        RequireTidy("Backup", () => Table.Backup(_folder["copy.db"]));
        RequireTidy("SetIndexes", () => Table.SetIndexes(["id"]));
        RequireTidy("ClearTombstones", () => Table.ClearTombstones(Cursor.Parse("1")));
        RequireTidy(
            "Read until it is stopped",
            () =>
            {
                using var stop = new CancellationTokenSource();
                using var scan = new Table(FilePath, stop.Token).Read();
                Assert.True(scan.Read());
                stop.Cancel();
            }
        );
        RequireTidy(
            "A filter that is wrong",
            () => Assert.Throws<FilterException>(() => Table.Count(new RecordQuery { Filter = "nosuch" }))
        );
    }

    [Fact]
    public async Task Whoever_waits_for_a_table_or_serves_it_leaves_nothing_beside_it()
    {
        Fill();

        Assert.Null(await Table.WaitAsync(_ => false, TimeSpan.FromMilliseconds(50), null, TestContext.Current.CancellationToken));
        Assert.Equal(["table.db", "table.db-lock"], Files());
        var options = new TableFeedOptions { Path = FilePath };
        await (await TableFeed.StartAsync(options, null, TestContext.Current.CancellationToken)).DisposeAsync();
        Assert.Equal(["table.db", "table.db-lock"], Files());
    }

    [Fact]
    public void The_last_of_several_readers_leaves_nothing_and_the_others_read_on()
    {
        Fill();

        using (var first = Table.Read())
        {
            Assert.True(first.Read());
            using (var second = Table.Read())
                Assert.True(second.Read());
            Assert.True(first.Read());
        }

        Assert.Equal(["table.db", "table.db-lock"], Files());
    }

    [Fact]
    [Trait("Invariant", "I1")]
    public void A_reader_leaves_the_log_of_a_writer_alone()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");

        Assert.Equal(1, Count(new Table(table.Path)));

        Assert.True(File.Exists(table.Path + "-wal"));
        table.Apply("""{"id":2,"updated_at":2}""");
        Assert.Equal(2, Count(new Table(table.Path)));
        table.Reopen();
        Assert.Equal(["1", "2"], table.Live.Keys);
    }

    /// <summary>A reader keeps the log from being written over; when it has gone, the disk gets the space back.</summary>
    [Fact]
    public void A_log_that_a_long_reader_let_grow_shrinks_once_it_has_gone()
    {
        const long Limit = 16 << 20;
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        var log = new FileInfo(table.Path + "-wal");
        var text = new string('x', 1 << 20);
        using (var reader = new Table(table.Path).Read())
        {
            Assert.True(reader.Read());
            for (var id = 2; id < 22; id++)
                table.Apply($$"""{"id":{{id}},"updated_at":{{id}},"text":"{{text}}"}""");
            log.Refresh();
            Assert.InRange(log.Length, Limit + 1, long.MaxValue);
        }

        // The first commit is followed by a checkpoint, the second begins the log at its start.
        table.Apply("""{"id":22,"updated_at":22}""");
        table.Apply("""{"id":23,"updated_at":23}""");

        log.Refresh();
        Assert.InRange(log.Length, 1, Limit);
    }

    private void RequireTidy(string what, Action work)
    {
        work();
        Assert.True(
            !Array.Exists(TableFile.Companions, suffix => File.Exists(FilePath + suffix)),
            $"{what} left {string.Join(' ', Files())}"
        );
    }

    private string[] Files() => [.. Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];

    private static int Count(Table table)
    {
        using var scan = table.Read();
        var count = 0;
        while (scan.Read())
            count++;
        return count;
    }

    private void Fill()
    {
        using var source = new TestTable();
        source.Apply("""{"id":1,"updated_at":1}""", """{"id":2,"updated_at":2}""", """{"id":3,"updated_at":3}""");
        new Table(source.Path).Backup(FilePath);
        using var made = WriterLock.Take(FilePath);
    }
}
