using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A query may have any number of keys, though SQLite allows 32,766 parameters.</summary>
public sealed class ManyKeysTests
{
    private const int Many = 40_000;

    [Fact]
    public void Integer_keys()
    {
        using var table = new TestTable();
        table.Apply(Enumerable.Range(1, 50).Select(i => $$"""{"id":{{i}},"updated_at":{{i}},"port":{{i * 10}}}"""));
        var query = new RecordQuery
        {
            Keys = [.. Enumerable.Range(41, Many).Select(i => Key((long)i)), Key("7"), Key("no number"), Key("99999999999999999999")],
        };

        Assert.Equal(["7", .. Numbers(41, 10)], Read(table, query));
        Assert.Equal(11, table.Table.Count(query));
        Assert.Equal(
            ["42"],
            Read(
                table,
                query with
                {
                    Filter = "port = :p",
                    FilterParameters = new Dictionary<string, object?> { ["p"] = 420L },
                }
            )
        );
        Assert.Equal(["41", "42"], Read(table, query with { Skip = 1, First = 2 }));
    }

    [Fact]
    public void Keys_of_several_parts_and_of_text()
    {
        using var table = new TestTable(keys: ["a", "b"]);
        table.Apply(Enumerable.Range(1, 50).Select(i => $$"""{"a":{{i}},"b":"k'\"{{i}}","updated_at":{{i}}}"""));
        var query = new RecordQuery { Keys = [.. Enumerable.Range(41, Many).Select(i => (IReadOnlyList<object>)[(long)i, $"k'\"{i}"])] };

        Assert.Equal(10, Read(table, query).Count);
        Assert.Equal(10, table.Table.Count(query));
        Assert.Throws<FilterException>(() => table.Table.Count(query with { Keys = [.. query.Keys!, Key(1L)] }));
    }

    private static IReadOnlyList<object> Key(object only) => [only];

    private static IEnumerable<string> Numbers(int first, int count) =>
        Enumerable.Range(first, count).Select(i => i.ToString(CultureInfo.InvariantCulture));

    private static List<string> Read(TestTable table, RecordQuery query)
    {
        var keys = new List<string>();
        using var scan = table.Table.Read(query);
        while (scan.Read())
            keys.Add(scan.Key.ToString());
        return keys;
    }
}
