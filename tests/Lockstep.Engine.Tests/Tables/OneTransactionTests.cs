using System.Runtime.ExceptionServices;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Rows, tombstones, cursor and feed identity commit in one SQLite transaction (I1).</summary>
[Trait("Invariant", "I1")]
public sealed class OneTransactionTests
{
    [Fact]
    public void A_copy_of_the_files_at_any_instant_holds_rows_and_cursor_of_one_commit()
    {
        using var table = new TestTable();
        for (var n = 1; n <= 20; n++)
        {
            table.Apply($$"""{"id":{{n}},"updated_at":{{n}}}""", $$"""{"id":{{n + 1000}},"updated_at":{{n}},"deleted_at":1}""");
            table.Writer.Commit(new TableCommit { Cursor = Cursor.Parse($"{n}"), FeedIdentity = $"feed-{n}" });

            var info = new Table(CopyAfterCrash(table.Path)).GetInfo();
            Assert.Equal((n, n, $"{n}", $"feed-{n}"), ((int)info.Rows, (int)info.Tombstones, info.Cursor.ToString(), info.FeedIdentity));
        }
    }

    [Fact]
    public void A_commit_that_fails_in_the_middle_leaves_nothing_behind()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        var before = table.Writer.State;
        // The second record fails: an index that does not admit two of the rows stands in for anything that may go wrong within a commit.
        Sql(table.Path, "CREATE UNIQUE INDEX t ON lockstep_row(gone) WHERE key IN (2, 3)");

        Assert.Throws<TableFileException>(() => table.Apply("""{"id":2,"updated_at":2}""", """{"id":3,"updated_at":3}"""));

        Assert.Equal(before, table.Writer.State);
        Assert.Equal(["1"], table.Live.Keys);
        Sql(table.Path, "DROP INDEX t");
        Assert.Equal(["+2"], table.Apply("""{"id":2,"updated_at":2}"""));
        Assert.Equal(2, table.Table.GetInfo().Rows);
    }

    [Fact]
    public void A_commit_that_is_interrupted_is_rolled_back()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");

        table.Writer.Interrupt();

        Assert.Throws<OperationCanceledException>(() => table.Apply("""{"id":2,"updated_at":2}"""));
        table.Reopen();
        Assert.Equal(["1"], table.Live.Keys);
        Assert.Equal(1, table.Writer.State.Sequence);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_writer_that_was_interrupted_leaves_the_whole_table_in_its_file(bool isOpenElsewhere)
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        using var other = new SqliteConnection($"Data Source={table.Path};Pooling=False");
        if (isOpenElsewhere)
        {
            other.Open();
            Assert.Equal(1, TableFile.Scalar(other, "SELECT count(*) FROM lockstep_row"));
        }

        table.Writer.Interrupt();
        table.Writer.Dispose();

        Assert.False(ClosingCheckpoint.HasLog(table.Path));
        var copy = table.Path + ".copy";
        File.Copy(table.Path, copy);
        Assert.Equal(1, new Table(copy).GetInfo().Rows);
    }

    [Fact]
    public void What_a_reader_still_needs_stays_in_the_log_of_an_interrupted_writer()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        using var other = new SqliteConnection($"Data Source={table.Path};Pooling=False");
        other.Open();
        using var reading = other.BeginTransaction(deferred: true);
        Assert.Equal(1, TableFile.Scalar(other, "SELECT count(*) FROM lockstep_row"));
        table.Apply("""{"id":2,"updated_at":2}""");

        table.Writer.Interrupt();
        table.Writer.Dispose();

        Assert.True(ClosingCheckpoint.HasLog(table.Path));
        Assert.Equal(2, table.Table.GetInfo().Rows);
    }

    [Fact]
    [Trait("Invariant", "I10")]
    public async Task An_interruption_is_heard_while_another_program_holds_the_file()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        using var other = new SqliteConnection($"Data Source={table.Path};Pooling=False");
        other.Open();
        using var held = other.BeginTransaction(deferred: false);

        Task writing = Task.Run(() => table.Apply("""{"id":2,"updated_at":2}"""), TestContext.Current.CancellationToken);
        table.Writer.Interrupt();

        await Assert.ThrowsAsync<OperationCanceledException>(() =>
            writing.WaitAsync(Eventually.Deadline, TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task A_commit_waits_for_another_program_to_let_go_of_the_file()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        using var other = new SqliteConnection($"Data Source={table.Path};Pooling=False");
        other.Open();
        var held = other.BeginTransaction(deferred: false);

        using var refusals = new LockRefusals();
        var writing = Task.Run(
            () =>
            {
                refusals.Count();
                return table.Apply("""{"id":2,"updated_at":2}""");
            },
            TestContext.Current.CancellationToken
        );
        // SQLite's own busy timeout is over after the first.
        await Eventually.TrueAsync(() => refusals.Seen >= 2 || writing.IsCompleted);
        Assert.False(writing.IsCompleted);
        held.Rollback();

        Assert.Equal(["+2"], await writing);
    }

    private static void Sql(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>What a crash would leave: the file and its log as they are.</summary>
    private static string CopyAfterCrash(string path)
    {
        var copy = path + ".crash" + Guid.NewGuid().ToString("N");
        File.Copy(path, copy);
        if (File.Exists(path + "-wal"))
            File.Copy(path + "-wal", copy + "-wal");
        return copy;
    }

    /// <summary>How often SQLite has told one thread that another program holds the file.</summary>
    private sealed class LockRefusals : IDisposable
    {
        private int _thread;
        private int _seen;

        public LockRefusals() => AppDomain.CurrentDomain.FirstChanceException += Note;

        public int Seen => Volatile.Read(ref _seen);

        /// <summary>Counts those of the calling thread.</summary>
        public void Count() => Volatile.Write(ref _thread, Environment.CurrentManagedThreadId);

        public void Dispose() => AppDomain.CurrentDomain.FirstChanceException -= Note;

        private void Note(object? sender, FirstChanceExceptionEventArgs thrown)
        {
            if (
                thrown.Exception is SqliteException { SqliteErrorCode: 5 }
                && Environment.CurrentManagedThreadId == Volatile.Read(ref _thread)
            )
            {
                Interlocked.Increment(ref _seen);
            }
        }
    }
}
