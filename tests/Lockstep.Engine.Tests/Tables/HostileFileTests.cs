using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A table file may come from anybody: code in its schema does not run.</summary>
public sealed class HostileFileTests
{
    [Theory]
    [InlineData("AFTER INSERT ON lockstep_row BEGIN DELETE FROM lockstep_row; END")]
    [InlineData(
        "AFTER UPDATE ON lockstep_table BEGIN INSERT INTO lockstep_row(key, seq, born, gone, body) WITH RECURSIVE n(i) AS "
            + "(SELECT 1000 UNION ALL SELECT i + 1 FROM n) SELECT i, i, i, 0, '{}' FROM n; END"
    )]
    [InlineData("BEFORE UPDATE ON lockstep_table BEGIN SELECT RAISE(IGNORE); END")]
    public void No_trigger_of_a_file_fires(string trigger)
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""");
        using (var connection = new SqliteConnection($"Data Source={table.Path};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "CREATE TRIGGER hostile " + trigger;
            command.ExecuteNonQuery();
        }

        table.Reopen();
        table.Apply("""{"id":2,"updated_at":2}""");

        Assert.Equal(["1", "2"], table.Live.Keys);
        Assert.Equal(2, table.Table.GetInfo().Rows);
    }
}
