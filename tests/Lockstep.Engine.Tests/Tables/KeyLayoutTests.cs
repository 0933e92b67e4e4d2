using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Integer keys become encoded ones with the first key that is not an integer, and nothing else changes.</summary>
public sealed class KeyLayoutTests
{
    [Fact]
    public void A_big_number_behind_integers_moves_the_table_to_encoded_keys()
    {
        using var table = new TestTable();
        table.Apply("""{"id":2,"updated_at":1}""", """{"id":-7,"updated_at":2}""", """{"id":5,"updated_at":3,"deleted_at":1}""");

        table.Apply("""{"id":18446744073709551616,"updated_at":4}""", """{"id":2.5,"updated_at":5}""", """{"id":2,"updated_at":6}""");

        Assert.Equal(KeyLayout.Encoded, table.Writer.State.Shape!.KeyLayout);
        Assert.Equal(["-7", "2", "2.5", "18446744073709551616"], Keys(table));
        Assert.Empty(table.Apply("""{"id":5,"updated_at":2}"""));
        table.Reopen();
        Assert.Equal(["*-7"], table.Apply("""{"id":-7.0,"updated_at":9}"""));
        Assert.Equal(4, table.Table.GetInfo().Rows);
        Assert.Equal(
            ["2"],
            SyncRunKeys(
                table,
                new RecordQuery
                {
                    Keys =
                    [
                        ["2"],
                    ],
                }
            )
        );
        Assert.Equal(
            ["18446744073709551616"],
            SyncRunKeys(
                table,
                new RecordQuery
                {
                    Keys =
                    [
                        ["18446744073709551616"],
                        ["99"],
                    ],
                }
            )
        );
    }

    [Fact]
    public void String_keys_may_hold_anything_and_go_by_code_point()
    {
        using var table = new TestTable();
        table.Apply(
            """{"id":"b","updated_at":1}""",
            """{"id":"a\u0000","updated_at":1}""",
            """{"id":"a","updated_at":1}""",
            """{"id":"a\u0001","updated_at":1}""",
            """{"id":"","updated_at":1}""",
            """{"id":"\ud83d\ude00","updated_at":1}""",
            """{"id":"a\"\\b","updated_at":1}""",
            """{"id":"é","updated_at":1}"""
        );

        Assert.Equal(["", "a", "a\0", "a\u0001", "a\"\\b", "b", "é", "😀"], Keys(table));
        Assert.Equal(["*b"], table.Apply("""{"id":"\u0062","updated_at":2}"""));
        Assert.Equal(["*😀"], table.Apply("""{"id":"😀","updated_at":2}"""));
        Assert.Equal(
            ["a\0"],
            SyncRunKeys(
                table,
                new RecordQuery
                {
                    Keys =
                    [
                        ["a\0"],
                    ],
                }
            )
        );
    }

    [Fact]
    public void A_key_of_several_fields_is_one_key()
    {
        using var table = new TestTable(keys: ["host", "port"]);
        table.Apply(
            """{"port":2,"host":"a","updated_at":1}""",
            """{"port":10,"host":"a","updated_at":1}""",
            """{"port":1,"host":"a\u0000","updated_at":1}""",
            """{"host":"","port":3,"updated_at":1}"""
        );

        Assert.Equal([",3", "a,2", "a,10", "a\0,1"], Keys(table));
        Assert.Equal(["*a,2"], table.Apply("""{"host":"a","port":2.0,"updated_at":2}"""));
        Assert.Equal(
            ["a,10"],
            SyncRunKeys(
                table,
                new RecordQuery
                {
                    Keys =
                    [
                        ["a", 10],
                    ],
                }
            )
        );
        var error = Assert.Throws<FilterException>(() =>
            table.Table.Read(
                new RecordQuery
                {
                    Keys =
                    [
                        ["a"],
                    ],
                }
            )
        );
        Assert.Contains("2 parts", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Equal_numbers_are_one_key_however_they_are_written()
    {
        using var table = new TestTable();
        table.Apply("""{"id":10,"updated_at":1}""");

        Assert.Equal(["*10"], table.Apply("""{"id":1e1,"updated_at":2}"""));
        Assert.Equal(["*10"], table.Apply("""{"id":10.000,"updated_at":3}"""));
        Assert.Equal(KeyLayout.Integer, table.Writer.State.Shape!.KeyLayout);
    }

    private static List<string> Keys(TestTable table) => SyncRunKeys(table, RecordQuery.All);

    private static List<string> SyncRunKeys(TestTable table, RecordQuery query)
    {
        var keys = new List<string>();
        using var scan = table.Table.Read(query);
        while (scan.Read())
            keys.Add(scan.Key.ToString());
        return keys;
    }
}
