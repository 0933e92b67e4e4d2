using Lockstep.Engine.Tables;
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

    [Theory]
    [InlineData("name = x'fe'")]
    [InlineData("key_kinds = '[\"x\"]'")]
    [InlineData("key_kinds = '[\"77\"]'")]
    [InlineData("last_sync = 'x'")]
    public void A_description_that_is_none_is_damage_of_the_file(string damage)
    {
        using var table = new TestTable();
        table.Apply("""{"id":"a","updated_at":1}""");
        using (var connection = new SqliteConnection($"Data Source={table.Path};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "UPDATE lockstep_table SET " + damage;
            command.ExecuteNonQuery();
        }

        Assert.Throws<TableFileException>(() => table.Table.GetInfo());
    }

    [Fact]
    public void A_key_that_is_none_is_damage_of_the_file()
    {
        var random = new Random(1);
        byte[][] keys =
        [
            [1],
            [2],
            [1, 1],
            [2, 65],
            [2, 65, 0],
            [1, 2, 0],
            [1, 0],
            [255],
            .. Enumerable.Range(0, 200).Select(RandomKey),
        ];
        using var table = new TestTable();
        table.Apply("""{"id":"a","updated_at":1}""");
        using var connection = new SqliteConnection($"Data Source={table.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "UPDATE lockstep_row SET key = $key";
        var damaged = 0;
        foreach (var key in keys)
        {
            command.Parameters.Clear();
            command.Parameters.AddWithValue("$key", key);
            command.ExecuteNonQuery();

            using var scan = table.Table.Read(RecordQuery.All);
            Assert.True(scan.Read());
            try
            {
                _ = scan.Key;
            }
            catch (TableFileException e)
            {
                damaged++;
                Assert.Contains("the key of a record is damaged", e.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(damaged, keys.Length / 2, keys.Length);

        byte[] RandomKey(int length)
        {
            var key = new byte[1 + (length % 20)];
            random.NextBytes(key);
            key[0] = (byte)(1 + (length % 2));
            return key;
        }
    }
}
