using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Reading a table file: if nothing may be written, while it changes unseen, and with a stop that takes effect (I10).</summary>
public sealed class ReadingTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string FilePath => _folder["table.db"];

    public void Dispose()
    {
        SetMode(isWritable: true);
        _folder.Dispose();
    }

    [Fact]
    public void A_table_is_read_in_a_folder_that_may_not_be_written_to()
    {
        Fill(2000);
        SetMode(isWritable: false);

        var read = Unprivileged.Run(() => (new Table(FilePath).GetInfo().Rows, Count(new Table(FilePath))));

        Assert.Equal((2000, 2000), read);
        Assert.False(File.Exists(FilePath + "-shm"));
    }

    [Fact]
    public void A_file_that_changes_while_it_is_read_without_locks_is_said_to()
    {
        Fill(5000);
        SetMode(isWritable: false);

        var error = Unprivileged.Run(() =>
        {
            using var scan = new Table(FilePath).Read();
            Assert.True(scan.Read());
            // Somebody who sees the folder through another mount writes, and puts all of it into the file.
            AsWriter(() => Sql("UPDATE lockstep_row SET seq = seq + 1; PRAGMA wal_checkpoint(TRUNCATE)"));
            return Assert.Throws<TableFileException>(() =>
            {
                while (scan.Read()) { }
            });
        });

        Assert.Contains("changed while it was read", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("another writer", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_change_that_is_still_in_the_log_is_never_passed_over_in_silence()
    {
        Fill(1);
        using var writer = new SqliteConnection($"Data Source={FilePath};Pooling=False");
        writer.Open();
        Execute(writer, "UPDATE lockstep_table SET rows = 2");
        SetMode(isWritable: false);

        // The log's shared memory exists, and may be readable or not: two records, or an error.
        var rows = Unprivileged.Run(() =>
        {
            try
            {
                return new Table(FilePath).GetInfo().Rows;
            }
            catch (TableFileException)
            {
                return 2;
            }
        });

        Assert.Equal(2, rows);
    }

    [Fact]
    public async Task Who_reads_stops_in_the_middle_of_a_statement_without_end()
    {
        Fill(2000);
        using var stop = new CancellationTokenSource();
        using var connection = ReadConnection.Open(FilePath, stop.Token);
        var begun = Begun(connection);

        var reading = Task.Run(() => CountOn(connection, "lockstep_row a, lockstep_row b, lockstep_row c, lockstep_row d"), Cancel);
        Assert.True(await begun.WaitAsync(Eventually.Deadline, Cancel));
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Eventually.Deadline, Cancel));
    }

    [Fact]
    public async Task Who_reads_stops_waiting_for_a_lock_and_does_not_try_again()
    {
        Fill(1);
        using var holder = new SqliteConnection($"Data Source={FilePath};Pooling=False");
        holder.Open();
        Execute(holder, "PRAGMA journal_mode=DELETE");
        using var stop = new CancellationTokenSource();
        using var connection = ReadConnection.Open(FilePath, stop.Token);
        Execute(holder, "BEGIN EXCLUSIVE");
        var begun = Begun(connection);

        var reading = Task.Run(() => CountOn(connection, "lockstep_row"), Cancel);
        Assert.True(await begun.WaitAsync(Eventually.Deadline, Cancel));
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Eventually.Deadline, Cancel));
        Assert.Equal(0, begun.CurrentCount);
    }

    [Theory]
    [InlineData("lockstep_table")]
    [InlineData("lockstep_quarantine")]
    [InlineData("lockstep_row")]
    public void A_view_in_the_place_of_a_table_is_no_table_and_hangs_nobody(string name)
    {
        Fill(1);
        Sql(
            $"DROP TABLE {name}; CREATE VIEW {name} AS WITH RECURSIVE c(name) AS (SELECT 't' UNION ALL SELECT name FROM c) "
                + "SELECT count(*) AS name, 1 AS key, 1 AS seq, 0 AS gone, '{}' AS body FROM c"
        );

        Assert.Throws<TableFileException>(() => new Table(FilePath).GetInfo());
        Assert.Throws<TableFileException>(() => new Table(FilePath).Read());
    }

    [Fact]
    public void A_file_that_another_program_holds_is_named_after_a_while()
    {
        Fill(1);
        using var holder = new SqliteConnection($"Data Source={FilePath};Pooling=False");
        holder.Open();
        Execute(holder, "PRAGMA journal_mode=DELETE; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");

        var error = Assert.Throws<TableFileException>(() => new Table(FilePath).GetInfo());

        Assert.Contains("within 5 s", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-wal")]
    [InlineData("-shm")]
    [InlineData("-journal")]
    public void A_pipe_beside_a_table_makes_nobody_wait(string suffix)
    {
        if (OperatingSystem.IsWindows())
            Assert.Skip("Windows has no pipes in folders.");
        Fill(1);
        Fifo.Make(FilePath + suffix);

        var error = Assert.Throws<TableFileException>(() => new Table(FilePath).GetInfo());

        Assert.Contains(suffix, error.Message, StringComparison.Ordinal);
    }

    private static long CountOn(ReadConnection connection, string tables) =>
        connection.Read(() => TableFile.Scalar(connection, $"SELECT count(*) FROM {tables}"));

    /// <summary>Counts how often a statement starts to run on a connection.</summary>
    private static SemaphoreSlim Begun(ReadConnection connection)
    {
        var begun = new SemaphoreSlim(0);
        raw.sqlite3_trace(connection.Handle, (strdelegate_trace)((_, _) => begun.Release()), null);
        return begun;
    }

    private static long Count(Table table)
    {
        using var scan = table.Read();
        long count = 0;
        while (scan.Read())
            count++;
        return count;
    }

    /// <summary>A closed table with this many records.</summary>
    private void Fill(int count)
    {
        using var table = new TestTable();
        table.Apply(Enumerable.Range(1, count).Select(id => $$"""{"id":{{id}},"updated_at":{{id}},"text":"{{new string('x', 100)}}"}"""));
        table.Table.Backup(FilePath);
        // As a sync leaves it: a file that once had a log.
        Sql("PRAGMA journal_mode=WAL");
    }

    /// <summary>Works on a thread other than the reader's, which may be any pool thread.</summary>
    private void AsWriter(Action work)
    {
        if (!Environment.IsPrivilegedProcess)
            SetMode(isWritable: true);
        Task.Run(work, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
    }

    private void SetMode(bool isWritable)
    {
        if (OperatingSystem.IsWindows())
            return;
        const UnixFileMode Read = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        const UnixFileMode Enter = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        var folder = System.IO.Path.GetDirectoryName(FilePath)!;
        File.SetUnixFileMode(folder, Read | Enter | (isWritable ? UnixFileMode.UserWrite : 0));
        if (File.Exists(FilePath))
            File.SetUnixFileMode(FilePath, Read | (isWritable ? UnixFileMode.UserWrite : 0));
    }

    private void Sql(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={FilePath};Pooling=False");
        connection.Open();
        Execute(connection, sql);
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
