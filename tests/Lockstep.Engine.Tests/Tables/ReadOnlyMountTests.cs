using System.Diagnostics;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>
/// A table on a read-only mount: what a writer on the other side of it commits becomes visible, and readers claim nothing more.
/// </summary>
public sealed class ReadOnlyMountTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _mount;
    private bool _isMounted;

    public ReadOnlyMountTests() => _mount = Directory.CreateDirectory(_folder["mount"]).FullName;

    public void Dispose()
    {
        if (_isMounted)
            Run("umount", "-l", _mount);
        _folder.Dispose();
    }

    [Fact]
    public void A_table_at_rest_is_read_and_leaves_nothing_behind()
    {
        Fill(Json(1), Json(2));
        Mount();

        Assert.Equal(["1", "2"], SyncRun.Read(InMount("t.db")).Keys);
        Assert.Equal(["t.db"], Directory.GetFiles(_mount).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void What_a_live_writer_on_the_other_side_commits_is_seen()
    {
        Fill(Json(1));
        using var writer = Open(InSource("t.db"));
        Execute(writer, "PRAGMA wal_autocheckpoint=0");
        Execute(
            writer,
            "INSERT INTO lockstep_row(key, seq, born, ord, gone, body) SELECT 2, seq + 1, seq + 1, ord, gone, '{\"id\":2}' "
                + "FROM lockstep_row"
        );
        Execute(writer, "UPDATE lockstep_table SET rows = 2");
        Mount();
        Assert.Equal(["1", "2"], SyncRun.Read(InMount("t.db")).Keys);

        Execute(
            writer,
            "INSERT INTO lockstep_row(key, seq, born, ord, gone, body) SELECT 3, 9, 9, ord, gone, '{\"id\":3}' FROM "
                + "lockstep_row WHERE key = 1"
        );
        Assert.Equal(["1", "2", "3"], SyncRun.Read(InMount("t.db")).Keys);
        Assert.Equal(2, new Table(InMount("t.db")).GetInfo().Rows);
    }

    /// <summary>A table whose file contains all of it.</summary>
    private void Fill(params string[] records)
    {
        using (var table = new TestTable())
        {
            table.Apply(records);
            using var whole = Open(table.Path);
            Execute(whole, $"VACUUM INTO '{InSource("t.db")}'");
        }

        using var copy = Open(InSource("t.db"));
        Execute(copy, "PRAGMA journal_mode=WAL");
    }

    private static Microsoft.Data.Sqlite.SqliteConnection Open(string path)
    {
        var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        return connection;
    }

    private static string Json(int id) => $$"""{"id":{{id}},"updated_at":{{id}},"deleted_at":null}""";

    private string InSource(string name) => Path.Combine(Directory.CreateDirectory(_folder["source"]).FullName, name);

    private string InMount(string name) => Path.Combine(_mount, name);

    private void Mount()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            Assert.Skip("Only root of a Linux may mount a folder read-only.");
        if (Run("mount", "--bind", _folder["source"], _mount) != 0)
            Assert.Skip("This machine does not let a folder be mounted.");
        _isMounted = true;
        if (Run("mount", "-o", "remount,ro,bind", _mount) != 0)
            Assert.Skip("This machine does not let a mount be made read-only.");
        Assert.Throws<IOException>(() => File.WriteAllText(InMount("x"), ""));
    }

    private static int Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }

    private static void Execute(Microsoft.Data.Sqlite.SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
