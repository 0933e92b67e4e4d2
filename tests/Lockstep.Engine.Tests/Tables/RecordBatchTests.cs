using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Which versions of a batch are written, and in which order.</summary>
public sealed class RecordBatchTests
{
    [Theory]
    [InlineData(5, 3, true)]
    [InlineData(300, 20, true)]
    [InlineData(5000, 700, true)]
    [InlineData(20_000, 1_000_000_000, true)]
    [InlineData(300, 20, false)]
    [InlineData(5000, 700, false)]
    [Trait("Invariant", "I3")]
    public void The_newest_version_of_each_key_comes_in_the_order_of_the_keys(int count, int keys, bool areIntegers)
    {
        var random = new Random(count + keys);
        var batch = new RecordBatch(areIntegers ? KeyLayout.Integer : KeyLayout.Encoded, OrderKind.Number, coalesce: true);
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Record, ["id"], "updated_at"));
        var newest = new Dictionary<string, (decimal Order, int Arrival)>();
        for (var i = 0; i < count; i++)
        {
            long key = random.Next(keys) - (keys / 2);
            var id = areIntegers ? $"{key}" : $"\"a shared beginning {key}\"";
            // Orders that go up and down, are equal, and are no integers.
            var order = random.Next(4) == 0 ? $"{random.Next(50)}.5" : $"{random.Next(50)}";
            var json = Encoding.UTF8.GetBytes($$"""{"id":{{id}},"updated_at":{{order}}}""");
            Assert.Equal(ParsedKind.Record, parser.Parse(json, out var record));
            batch.Add(record);
            var value = decimal.Parse(order, System.Globalization.CultureInfo.InvariantCulture);
            var name = batch.KeyOf(batch[i]).ToString();
            if (!newest.TryGetValue(name, out var known) || known.Order <= value)
                newest[name] = (value, i);
        }

        var places = new int[count];
        var kept = places[..batch.NewestByKey(places)];

        Assert.Equal(newest.Values.Select(v => v.Arrival).Order(), kept.Order());
        if (areIntegers)
            Assert.Equal(kept.OrderBy(i => batch[i].IntegerKey), kept);
        for (var i = 1; i < kept.Length && !areIntegers; i++)
            Assert.True(batch.Key(batch[kept[i - 1]]).SequenceCompareTo(batch.Key(batch[kept[i]])) < 0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(70_000)]
    public void Sorting_keeps_the_order_of_what_is_equal(int count)
    {
        var random = new Random(count);
        foreach (var range in (ulong[])[1, 7, 3000, 1UL << 40, ulong.MaxValue])
        {
            ulong[] numbers = [.. Enumerable.Range(0, count).Select(_ => ((ulong)random.NextInt64() << 1) % range)];
            int[] places = [.. Enumerable.Range(0, count)];
            int[] expected = [.. places.OrderBy(i => numbers[i])];

            KeySort.Sort(numbers, places);

            Assert.Equal(expected, places);
            Assert.Equal(numbers.Order(), numbers);
        }
    }
}
