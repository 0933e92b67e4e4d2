using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A record is applied if and only if its order value is not below the stored one for its key (I3).</summary>
[Trait("Invariant", "I3")]
public sealed class OrderTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Any_order_of_arrival_gives_the_newest_version_of_each_key(bool everyVersion)
    {
        for (var seed = 0; seed < 30; seed++)
        {
            var random = new Random(seed);
            List<(int Key, decimal Order, bool Deleted)> versions = [];
            for (var key = 0; key < 8; key++)
            {
                foreach (var order in Orders(random))
                    versions.Add((key, order, random.Next(3) == 0));
            }

            using var table = new TestTable { EveryVersion = everyVersion };
            (int Key, decimal Order, bool Deleted)[] shuffled = [.. versions];
            random.Shuffle(shuffled);
            for (var start = 0; start < shuffled.Length; )
            {
                var end = Math.Min(shuffled.Length, start + random.Next(1, 12));
                table.Apply(shuffled[start..end].Select(Json));
                if (random.Next(5) == 0)
                    table.Reopen();
                start = end;
            }

            var newest = versions.GroupBy(v => v.Key).Select(g => g.MaxBy(v => v.Order)).ToList();
            Assert.Equal(
                newest.Where(v => !v.Deleted).ToDictionary(v => v.Key.ToString(CultureInfo.InvariantCulture), Json),
                table.Live.ToDictionary()
            );
            var info = table.Table.GetInfo();
            Assert.Equal((newest.Count(v => !v.Deleted), newest.Count(v => v.Deleted)), ((int)info.Rows, (int)info.Tombstones));
        }
    }

    [Fact]
    public void On_a_tie_the_later_arrival_wins()
    {
        using var table = new TestTable();

        table.Apply("""{"id":1,"updated_at":5,"v":"a"}""", """{"id":1,"updated_at":5,"v":"b"}""");
        Assert.Equal(["*1"], table.Apply("""{"id":1,"updated_at":5.0,"v":"c"}"""));

        Assert.Equal("""{"id":1,"updated_at":5.0,"v":"c"}""", table.Live["1"]);
        Assert.Equal(["-1"], table.Apply("""{"id":1,"updated_at":50e-1,"deleted_at":5}"""));
        Assert.Empty(table.Live);
    }

    [Fact]
    public void Nothing_older_than_a_tombstone_comes_back_to_life()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":5}""");
        table.Apply("""{"id":1,"updated_at":9,"deleted_at":9}""", """{"id":2,"updated_at":9,"deleted_at":true}""");

        Assert.Empty(table.Apply("""{"id":1,"updated_at":8}""", """{"id":2,"updated_at":8.999}"""));
        Assert.Empty(table.Live);
        Assert.Equal(["+1"], table.Apply("""{"id":1,"updated_at":9}"""));
    }

    [Theory]
    [InlineData("9007199254740993", "9007199254740992")]
    [InlineData("9223372036854775808", "9223372036854775807")]
    [InlineData("123456789012345678901234567890.2", "123456789012345678901234567890.1")]
    [InlineData("1e400", "9e399")]
    [InlineData("0.1000000000000000000000000001", "0.1")]
    [InlineData("-1", "-1.0000000000000000000000000001")]
    [InlineData("-9223372036854775808", "-9223372036854775809")]
    [InlineData("1e-400", "0")]
    public void Numbers_compare_exactly_at_any_size(string higher, string lower)
    {
        foreach (var inOneBatch in (bool[])[true, false])
        {
            using var table = new TestTable();
            string newer = $$"""{"id":1,"updated_at":{{higher}},"v":1}""",
                older = $$"""{"id":1,"updated_at":{{lower}},"v":2}""";
            if (inOneBatch)
            {
                table.Apply(newer, older);
            }
            else
            {
                table.Apply(newer);
                Assert.Empty(table.Apply(older));
            }

            Assert.Equal(newer, table.Live["1"]);
            table.Apply(older.Replace(lower, higher, StringComparison.Ordinal));
            Assert.Contains("\"v\":2", table.Live["1"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void With_string_cursors_arrival_is_the_order()
    {
        using var table = new TestTable();

        table.Apply("""{"id":1,"updated_at":"5:5000","v":1}""");
        Assert.Equal(["*1"], table.Apply("""{"id":1,"updated_at":"5:10","v":2}"""));
        Assert.Equal(["-1"], table.Apply("""{"id":1,"updated_at":"1:1","deleted_at":"x"}"""));
        Assert.Equal(["+1"], table.Apply("""{"id":1,"updated_at":"0","v":3}"""));
    }

    [Fact]
    public void In_the_transaction_dialect_the_order_is_since_and_never_txid()
    {
        using var table = new TestTable();

        table.Apply("""{"txid":105,"current_xmin":100,"since":100,"deleted":false,"data":{"id":1,"v":"second"}}""");
        table.Apply("""{"txid":101,"current_xmin":101,"since":101,"deleted":false,"data":{"id":1,"v":"third"}}""");
        Assert.Empty(table.Apply("""{"txid":200,"current_xmin":99,"since":99,"deleted":false,"data":{"id":1,"v":"first"}}"""));

        Assert.Equal("""{"id":1,"v":"third"}""", table.Live["1"]);
    }

    [Fact]
    public void Transaction_rows_that_differ_only_in_what_is_around_the_record_are_equal()
    {
        using var table = new TestTable();
        table.Apply("""{"txid":7,"current_xmin":5,"since":5,"deleted":false,"data":{"id":1}}""");

        Assert.Empty(table.Apply("""{"txid":7,"current_xmin":9,"since":7,"deleted":false,"data":{"id":1}}"""));
        Assert.Empty(table.Apply("""{"txid":8,"current_xmin":9,"since":8,"deleted":false,"data":{"id":1}}"""));
        // The higher order value counts although it changed nothing.
        Assert.Empty(table.Apply("""{"txid":6,"current_xmin":6,"since":6,"deleted":true,"data":{"id":1}}"""));
        Assert.Empty(table.Apply("""{"txid":7,"current_xmin":7,"since":7,"deleted":false,"data":{"id":1,"v":"stale"}}"""));
        Assert.Equal(1, table.Table.GetInfo().Sequence);
    }

    [Fact]
    public void An_order_field_that_changes_its_type_is_malformed()
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, "updated_at"));
        Assert.Equal(ParsedKind.Record, parser.Parse("""{"id":1,"updated_at":5}"""u8, out _));

        Assert.Equal(ParsedKind.Malformed, parser.Parse("""{"id":1,"updated_at":"6"}"""u8, out _));
        Assert.Contains("'updated_at' is a string", parser.Reason, StringComparison.Ordinal);
    }

    private static IEnumerable<decimal> Orders(Random random) =>
        Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(-50, 50) + (random.Next(4) == 0 ? 0.5m : 0m)).Distinct();

    private static string Json((int Key, decimal Order, bool Deleted) version) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"id":{{version.Key}},"updated_at":{{version.Order}},"deleted_at":{{(version.Deleted ? "1" : "null")}}}"""
        );
}
