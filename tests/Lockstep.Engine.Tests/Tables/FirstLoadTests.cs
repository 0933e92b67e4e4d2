using Lockstep.Engine.Tables;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Filling an empty table without the write-ahead log.</summary>
public sealed class FirstLoadTests
{
    private static readonly string[] Many = Records(12_000, 300);

    [Fact]
    [Trait("Invariant", "I1")]
    public void A_crash_in_it_leaves_an_empty_table_that_can_be_read_and_written()
    {
        using var table = new TestTable();
        var copy = table.Path + ".crash";
        // More than SQLite's cache holds, so that some of it is in the file before the commit, as a crash leaves it.
        table.ApplyAndKeepOpen(Records(8_000, 10_000));
        Assert.True(File.Exists(table.Path + "-journal"));
        File.Copy(table.Path, copy);
        File.Copy(table.Path + "-journal", copy + "-journal");
        Assert.True(new FileInfo(copy).Length > 1_000_000);

        using (var scan = new Table(copy).Read(new RecordQuery()))
            Assert.False(scan.Read());
        using var writer = TableWriter.Open(copy, null, WriterLock.Take(copy));
        Assert.Equal(0, writer.State.Sequence);
    }

    [Fact]
    [Trait("Invariant", "I1")]
    public void A_crash_while_the_first_set_is_staged_leaves_an_empty_table()
    {
        using var table = new TestTable();
        var copy = table.Path + ".crash";
        table.StageAndKeepOpen(Records(8_000, 10_000));
        Assert.True(File.Exists(table.Path + "-journal"));
        File.Copy(table.Path, copy);
        File.Copy(table.Path + "-journal", copy + "-journal");
        Assert.True(new FileInfo(copy).Length > 1_000_000);

        using (var scan = new Table(copy).Read(new RecordQuery()))
            Assert.False(scan.Read());
        using var writer = TableWriter.Open(copy, null, WriterLock.Take(copy));
        Assert.Equal((0, 0), (writer.State.Sequence, writer.State.Rows));
    }

    [Fact]
    public void The_first_set_that_is_staged_becomes_the_table_and_the_write_ahead_log_is_back()
    {
        using var table = new TestTable();
        table.StageAndKeepOpen(Many);

        Assert.Equal(Many.Length, table.Complete(SnapshotEnding.Sweep).Count);
        Assert.Equal(Many.Length, table.Live.Count);
        Assert.Equal("wal", Scalar(table.Path, "PRAGMA journal_mode"));
        Assert.False(File.Exists(table.Path + "-journal"));
        Assert.Equal(["*1"], table.Apply("""{"id":1,"updated_at":99999}"""));
    }

    [Fact]
    public void A_first_set_that_is_discarded_leaves_an_empty_table_and_the_write_ahead_log()
    {
        using var table = new TestTable();
        table.StageAndKeepOpen(Many);

        table.Writer.DiscardSnapshot();

        Assert.Empty(table.Live);
        Assert.Equal("wal", Scalar(table.Path, "PRAGMA journal_mode"));
        Assert.Equal(["+1"], table.Apply("""{"id":1,"updated_at":1}"""));
    }

    [Fact]
    public void It_ends_with_the_write_ahead_log()
    {
        using var table = new TestTable();
        table.Apply(Many);

        Assert.Equal(Many.Length, table.Live.Count);
        Assert.Equal("wal", Scalar(table.Path, "PRAGMA journal_mode"));
        Assert.False(File.Exists(table.Path + "-journal"));
        Assert.Equal(["*1"], table.Apply("""{"id":1,"updated_at":99999}"""));
    }

    [Fact]
    public void A_reader_that_has_the_table_open_is_not_disturbed()
    {
        using var table = new TestTable();
        using var reader = new SqliteConnection($"Data Source={table.Path};Pooling=False");
        reader.Open();
        using var count = reader.CreateCommand();
        count.CommandText = "SELECT count(*) FROM sqlite_master WHERE name = 'lockstep_row'";
        Assert.Equal(0L, count.ExecuteScalar());

        table.ApplyAndKeepOpen(Many);

        Assert.Equal(0L, count.ExecuteScalar());
        table.Apply("""{"id":1,"updated_at":99999}""");
        Assert.Equal(1L, count.ExecuteScalar());
        Assert.Equal(Many.Length, table.Live.Count);
    }

    private static string[] Records(int count, int size) =>
        [.. Enumerable.Range(0, count).Select(i => $$"""{"id":{{i}},"updated_at":{{i}},"text":"{{new string('x', size)}}"}""")];

    private static object? Scalar(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
