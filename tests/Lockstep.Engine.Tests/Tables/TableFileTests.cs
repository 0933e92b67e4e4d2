using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Every file that is not a table, or cannot be used, leads to one clear error.</summary>
public sealed class TableFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_that_is_not_sqlite_is_refused_and_stays_as_it_is()
    {
        var path = _folder["notes.txt"];
        File.WriteAllText(path, new string('x', 5000));

        var error = Assert.Throws<TableFileException>(() => Open(path));
        Assert.Contains("not an SQLite database", error.Message, StringComparison.Ordinal);
        Assert.Throws<TableFileException>(() => new Table(path).GetInfo());
        Assert.False(Table.IsTable(path));
        Assert.Equal(new string('x', 5000), File.ReadAllText(path));
    }

    [Fact]
    public void A_file_that_a_first_sync_has_just_made_is_no_table_yet_and_not_another_programs()
    {
        var path = _folder["new.db"];
        File.WriteAllBytes(path, []);

        Assert.Throws<TableNotFoundException>(() => new Table(path).GetInfo());
        Assert.False(Table.IsTable(path));
    }

    [Fact]
    public void Another_programs_database_is_refused_and_stays_as_it_is()
    {
        var path = _folder["other.db"];
        Sql(path, "CREATE TABLE mine(x)");

        Assert.Contains("not a Lockstep table", Assert.Throws<TableFileException>(() => Open(path)).Message, StringComparison.Ordinal);
        var empty = _folder["empty.db"];
        Sql(empty, "PRAGMA application_id=77; PRAGMA user_version=3");
        Assert.Throws<TableFileException>(() => Open(empty));
    }

    [Fact]
    public void A_table_of_a_newer_version_is_refused()
    {
        var path = _folder["t.db"];
        Open(path).Dispose();
        Sql(path, "PRAGMA user_version=99");

        var error = Assert.Throws<TableFileException>(() => new Table(path).GetInfo());
        Assert.Contains("newer", error.Message, StringComparison.Ordinal);
        Assert.Throws<TableFileException>(() => Open(path));
    }

    [Fact]
    public void A_damaged_table_is_an_error_that_says_what_to_do()
    {
        var path = _folder["t.db"];
        Open(path).Dispose();
        Sql(path, "DELETE FROM lockstep_table");

        Assert.NotEmpty(Assert.Throws<TableFileException>(() => new Table(path).GetInfo()).RecommendedAction);
        Sql(path, "DROP TABLE lockstep_table");
        Assert.Throws<TableFileException>(() => new Table(path).GetInfo());
    }

    [Fact]
    public void Where_there_is_no_file_there_is_no_table()
    {
        var path = _folder["none.db"];

        Assert.Throws<TableNotFoundException>(() => new Table(path).GetInfo());
        Assert.Throws<TableNotFoundException>(() => new Table(path).Read());
        Assert.Throws<TableNotFoundException>(() => new Table(path).Clear());
        Assert.Throws<TableNotFoundException>(() => new Table(path).Remove());
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_folder_that_is_not_there_a_file_in_its_place_and_a_folder_in_the_files_place_are_errors()
    {
        File.WriteAllText(_folder["file"], "x");
        Directory.CreateDirectory(_folder["dir.db"]);

        Assert.Throws<TableFileException>(() => TableWriter.Open(_folder["gone/t.db"], "t", WriterLock.Take(_folder["lock"])));
        Assert.Throws<TableFileException>(() => TableFile.Guard(_folder["gone/t.db"], () => WriterLock.Take(_folder["gone/t.db"])));
        Assert.Throws<TableFileException>(() => TableFile.Guard(_folder["file/t.db"], () => WriterLock.Take(_folder["file/t.db"])));
        Assert.Throws<TableFileException>(() => TableWriter.Open(_folder["dir.db"], "t", WriterLock.Take(_folder["dir.db"])));
    }

    [Fact]
    public void Clearing_empties_all_but_the_name()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""", """{"id":2,"updated_at":1,"deleted_at":1}""");
        table.Writer.Commit(
            new TableCommit
            {
                Cursor = Cursor.Parse("9"),
                Feed = "http://x/",
                FeedIdentity = "me",
            }
        );
        table.Writer.Dispose();

        table.Table.Clear();

        var info = table.Table.GetInfo();
        Assert.Equal(
            ("table", 0L, 0L, true, null, null),
            (info.Name, info.Rows, info.Tombstones, info.Cursor.IsStart, info.Feed, info.FeedIdentity)
        );
        Assert.Empty(info.Fields);
        Assert.Empty(table.Live);
    }

    [Fact]
    public void Clearing_and_removing_are_refused_while_a_writer_is_at_work()
    {
        using var table = new TestTable();

        Assert.Throws<TableBusyException>(table.Table.Clear);
        Assert.Throws<TableBusyException>(table.Table.Remove);
    }

    [Fact]
    [Trait("Invariant", "I12")]
    public void Removing_leaves_nothing_behind_that_a_new_table_of_the_name_could_trip_over()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        table.Writer.Dispose();

        table.Table.Remove();

        Assert.Empty(Directory.EnumerateFiles(System.IO.Path.GetDirectoryName(table.Path)!));
        table.Reopen();
        table.Apply("""{"id":2,"updated_at":2}""");
        Assert.Equal(["2"], table.Live.Keys);
    }

    [Fact]
    [Trait("Invariant", "I12")]
    public void The_log_of_a_file_that_is_gone_does_not_get_into_its_successor()
    {
        var path = _folder["t.db"];
        using (var table = new TestTable())
        {
            table.Apply("""{"id":1,"updated_at":1}""");
            File.Copy(table.Path + "-wal", path + "-wal");
        }

        using (var writer = Open(path))
        {
            Assert.Equal(0, writer.State.Rows);
        }

        Assert.Equal(0, new Table(path).GetInfo().Sequence);
        Assert.Equal("t", new Table(path).GetInfo().Name);
    }

    [Fact]
    [Trait("Invariant", "I12")]
    public async Task A_backup_taken_while_a_writer_is_at_work_is_a_whole_table()
    {
        using var table = new TestTable();
        table.Apply("""{"id":0,"updated_at":0}""");
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(
            () =>
            {
                for (var n = 1; !stop.IsCancellationRequested; n++)
                    table.Apply(Enumerable.Range(n * 10, 10).Select(k => $$"""{"id":{{k}},"updated_at":{{n}}}"""));
            },
            TestContext.Current.CancellationToken
        );

        for (var i = 0; i < 5; i++)
        {
            var copy = _folder[$"copy{i}.db"];
            table.Table.Backup(copy);
            var info = new Table(copy).GetInfo();
            Assert.Equal(info.Rows, Lockstep.Engine.Tests.Sync.SyncRun.Read(copy).Count);
            Assert.Equal(1, info.Rows % 10);
        }

        await stop.CancelAsync();
        await writing;
        Assert.Throws<TableFileException>(() => table.Table.Backup(_folder["copy0.db"]));
        table.Table.Backup(_folder["copy0.db"], overwrite: true);
        Assert.Equal(table.Table.GetInfo().Rows, new Table(_folder["copy0.db"]).GetInfo().Rows);
        Assert.Throws<TableFileException>(() => table.Table.Backup(table.Path, overwrite: true));
        File.WriteAllText(_folder["notes.txt"], "mine");
        Assert.Throws<TableFileException>(() => table.Table.Backup(_folder["notes.txt"], overwrite: true));
    }

    [Fact]
    public void A_backup_of_a_damaged_table_is_an_error_and_leaves_no_file()
    {
        using var table = new TestTable();
        table.Apply(Enumerable.Range(0, 2000).Select(k => $$"""{"id":{{k}},"updated_at":0,"text":"{{new string('x', 200)}}"}"""));
        table.Writer.Dispose();
        using (var file = new FileStream(table.Path, FileMode.Open))
        {
            file.Position = file.Length / 2;
            file.Write(new byte[8192]);
        }

        var error = Assert.Throws<TableFileException>(() => table.Table.Backup(_folder["copy.db"]));

        Assert.Contains("copy.db", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public async Task A_read_is_of_one_moment_whatever_the_writer_does()
    {
        using var table = new TestTable();
        table.Apply(Enumerable.Range(0, 50).Select(k => $$"""{"id":{{k}},"updated_at":0}"""));
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(
            () =>
            {
                for (var n = 1; !stop.IsCancellationRequested; n++)
                {
                    // All rows change together, and the layout of the keys changes once.
                    table.Apply(Enumerable.Range(0, 50).Select(k => $$"""{"id":{{k}},"updated_at":{{n}}}"""));
                    if (n == 10)
                        table.Apply("""{"id":1.5,"updated_at":1,"deleted_at":1}""");
                }
            },
            TestContext.Current.CancellationToken
        );

        for (var i = 0; i < 100; i++)
        {
            var versions = new HashSet<string>();
            var count = 0;
            using var scan = table.Table.Read();
            while (scan.Read())
            {
                count++;
                versions.Add(System.Text.Encoding.UTF8.GetString(scan.Json).Split("updated_at")[1]);
                Assert.InRange((long)scan.Key.Parts[0], 0, 49);
            }

            Assert.Equal((50, 1), (count, versions.Count));
        }

        await stop.CancelAsync();
        await writing;
    }

    [Fact]
    public async Task A_file_is_a_store_of_its_one_table()
    {
        var path = _folder["servers.db"];
        var store = new FileTableStore(path);
        Assert.Empty(store.Find());
        Assert.Throws<TableNotFoundException>(() => store.Get("servers"));

        using (await store.OpenAsync("unused", default, TimeProvider.System, TestContext.Current.CancellationToken))
        {
            Assert.Single(store.Find());
            Assert.Throws<TableBusyException>(() => store.RequireFree("unused"));
            await Assert.ThrowsAsync<TableBusyException>(() =>
                store.OpenAsync("unused", default, TimeProvider.System, TestContext.Current.CancellationToken)
            );
        }

        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(path)!));

        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, TestContext.Current.CancellationToken))
            target.Commit(new TableCommit { Feed = "https://feeds.example/servers/", At = DateTimeOffset.UnixEpoch });
        store.RequireFree("servers");
        Assert.Equal("servers", Assert.Single(store.Find()).GetInfo().Name);
        Assert.Equal(path, store.Get("servers").GetInfo().Location);
        Assert.Equal(path, Assert.IsType<Table>(store.GetFor(null, "others")).Path);
        Assert.Throws<TableNotFoundException>(() => store.Get("others"));

        // The file's own name precedes the one with which it would have been created.
        using (var target = await store.OpenAsync("others", default, TimeProvider.System, TestContext.Current.CancellationToken))
            Assert.Equal("servers", target.State.Name);
    }

    [Fact]
    public void Cleared_tombstones_leave_a_horizon()
    {
        using var table = new TestTable();
        table.Apply(
            """{"id":1,"updated_at":5,"deleted_at":1}""",
            """{"id":2,"updated_at":10.5,"deleted_at":1}""",
            """{"id":3,"updated_at":3}"""
        );

        Assert.Equal(1, table.Writer.ClearTombstones(Cursor.Parse("10.5")));

        var info = table.Table.GetInfo();
        Assert.Equal((1L, 1L, "10.5"), (info.Rows, info.Tombstones, info.Horizon?.ToString()));
    }

    [Fact]
    public void A_pipe_is_no_table_and_makes_nobody_wait()
    {
        if (OperatingSystem.IsWindows())
            Assert.Skip("Windows has no pipes in folders.");
        Fifo.Make(_folder["pipe.db"]);

        Assert.False(Table.IsTable(_folder["pipe.db"]));
        Assert.Empty(Table.FindIn(System.IO.Path.GetDirectoryName(_folder["pipe.db"])!));
        Assert.Throws<TableFileException>(() => new Table(_folder["pipe.db"]).GetInfo());
    }

    private static TableWriter Open(string path) => TableWriter.Open(path, "t", WriterLock.Take(path));

    private static void Sql(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
