using System.Diagnostics;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>SQLite's locks belong to the process, and closing any handle of the file would release them.</summary>
public sealed class LockSurvivalTests
{
    [Fact]
    [Trait("Invariant", "I12")]
    public void Looking_for_tables_beside_an_open_one_does_not_let_another_program_take_its_log_away()
    {
        if (!File.Exists("/usr/bin/sqlite3"))
            Assert.Skip("The sqlite3 program is not installed.");
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");

        Assert.True(Table.IsTable(table.Path));
        Assert.Equal([table.Path], Table.FindIn(Path.GetDirectoryName(table.Path)!));
        // Opens the file for writing and closes it: if it finds no other process's lock, it considers the log abandoned.
        using (
            var other = Process.Start(
                new ProcessStartInfo("/usr/bin/sqlite3", [table.Path, "select count(*) from lockstep_row"])
                {
                    RedirectStandardOutput = true,
                }
            )!
        )
        {
            Assert.Equal("1", other.StandardOutput.ReadToEnd().Trim());
            other.WaitForExit();
        }

        Assert.True(File.Exists(table.Path + "-wal"));
        table.Apply("""{"id":2,"updated_at":2}""");
        table.Reopen();
        Assert.Equal(["1", "2"], table.Live.Keys);
    }
}
