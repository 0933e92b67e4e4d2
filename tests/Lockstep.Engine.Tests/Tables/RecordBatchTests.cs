using System.Text;
using System.Text.Json;
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
            // Orders that rise and fall, are equal, and are not integers.
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
    [InlineData("1 2 3", true)]
    [InlineData("1 2 2", false)]
    [InlineData("1 3 2", false)]
    [InlineData("\"a\" \"ab\" \"b\"", true)]
    [InlineData("\"a\" \"b\" \"b\"", false)]
    [InlineData("\"a\" \"b\" \"ab\"", false)]
    public void A_batch_knows_whether_its_keys_came_in_order(string keys, bool isAscending)
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Record, ["id"], "updated_at"));
        var batch = new RecordBatch(keys[0] == '"' ? KeyLayout.Encoded : KeyLayout.Integer, OrderKind.Number, coalesce: true);
        foreach (var key in keys.Split(' '))
        {
            Assert.Equal(ParsedKind.Record, parser.Parse(Encoding.UTF8.GetBytes($$"""{"id":{{key}},"updated_at":1}"""), out var record));
            batch.Add(record);
        }

        Assert.Equal(isAscending, batch.IsAscending);
    }

    [Theory]
    [InlineData(2_000_000, 10)]
    [InlineData(4_194_000, 10)]
    [InlineData(6_000_000, 10)]
    [InlineData(10, 6_000_000)]
    [InlineData(5_000_000, 5_000_000)]
    public void A_record_whose_key_or_order_value_has_megabytes_keeps_its_own_bytes(int keyLength, int orderLength)
    {
        var batch = new RecordBatch(KeyLayout.Encoded, OrderKind.Number, coalesce: true);
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Record, ["id"], "updated_at"));
        // What an earlier use of the batch left in its memory.
        for (var i = 0; i < 4; i++)
            Add($$"""{"id":"old {{i}}","updated_at":1,"x":"{{new string('x', 3_900_000)}}"}""");
        batch.Reset(KeyLayout.Encoded, OrderKind.Number, coalesce: true);

        var order = new string('7', orderLength);
        var json = $$"""{"id":"{{new string('k', keyLength)}}","updated_at":{{order}}}""";
        Add(json);
        Add("""{"id":"next","updated_at":2}""");

        Assert.True(batch.Body(batch[0]).SequenceEqual(Encoding.UTF8.GetBytes(json)));
        Assert.Equal(keyLength, batch.KeyOf(batch[0]).ToString().Length);
        Assert.True(orderLength < 20 || batch.Order(batch[0]).SequenceEqual(Encoding.UTF8.GetBytes(order)));
        Assert.True(batch.Body(batch[1]).SequenceEqual("""{"id":"next","updated_at":2}"""u8));

        void Add(string text)
        {
            Assert.Equal(ParsedKind.Record, parser.Parse(Encoding.UTF8.GetBytes(text), out var record));
            batch.Add(record);
        }
    }

    /// <summary>Bodies up to the last size cross the borders of the memory's pieces, and some need a piece of their own.</summary>
    [Theory]
    [InlineData(20_000, 800, 3_000, true)]
    [InlineData(20_000, 800, 3_000, false)]
    [InlineData(3_000, 7, 40_000, false)]
    [InlineData(60, 5, 3_000_000, true)]
    [InlineData(40, 4, 6_000_000, false)]
    [Trait("Invariant", "I3")]
    public void A_batch_that_was_folded_holds_the_same_newest_versions_in_the_same_order(int count, int keys, int size, bool areIntegers)
    {
        var random = new Random(count + size);
        var layout = areIntegers ? KeyLayout.Integer : KeyLayout.Encoded;
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Record, ["id"], "updated_at"));
        RecordBatch folded = new(layout, OrderKind.Number, coalesce: true),
            whole = new(layout, OrderKind.Number, coalesce: true);
        long most = 0;
        for (var i = 0; i < count; i++)
        {
            var key = random.Next(keys);
            // Now and then a key that has no place beside its body.
            var id = areIntegers ? $"{key}" : $"\"{new string('k', size > 1_000_000 && key == 0 ? 1_500_000 : 5)}{key}\"";
            var order = random.Next(3) == 0 ? $"{random.Next(50)}.5" : $"{random.Next(50)}";
            var text = $$"""{"id":{{id}},"updated_at":{{order}},"n":{{i}},"x":"{{new string('x', random.Next(size))}}"}""";
            Assert.Equal(ParsedKind.Record, parser.Parse(Encoding.UTF8.GetBytes(text), out var record));
            whole.Add(record);
            folded.Add(record);
            most = Math.Max(most, folded.FoldWhenWorthIt());
        }

        Assert.Equal(Newest(whole), Newest(folded));
        Assert.True(folded.Count < count / 2, $"{folded.Count} of {count} are left");
        Assert.True(most < whole.MemoryUsed, $"{most:N0} and {whole.MemoryUsed:N0} bytes");

        // In the order of the keys, each with its place among the others by arrival (I11).
        static List<(string Json, int Arrival)> Newest(RecordBatch batch)
        {
            var places = new int[batch.Count];
            var newest = places[..batch.NewestByKey(places)];
            int[] arrivals = [.. newest.Order()];
            return [.. newest.Select(p => (Encoding.UTF8.GetString(batch.Body(batch[p])), Array.IndexOf(arrivals, p)))];
        }
    }

    [Fact]
    public void A_batch_of_which_each_version_counts_is_never_folded()
    {
        var batch = new RecordBatch(KeyLayout.Integer, OrderKind.Number, coalesce: false);
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Record, ["id"], "updated_at"));
        var json = Encoding.UTF8.GetBytes($$"""{"id":1,"updated_at":1,"x":"{{new string('x', 100_000)}}"}""");
        for (var i = 0; i < 500; i++)
        {
            Assert.Equal(ParsedKind.Record, parser.Parse(json, out var record));
            batch.Add(record);
            batch.FoldWhenWorthIt();
        }

        Assert.Equal(500, batch.Count);
    }

    /// <summary>The borders are those of the arena's pieces and of the routing that shares a place with its body.</summary>
    [Theory]
    [InlineData(64 * 1024, "key")]
    [InlineData(64 * 1024, "order")]
    [InlineData(64 * 1024, "body")]
    [InlineData(1024 * 1024, "key")]
    [InlineData(1024 * 1024, "order")]
    [InlineData(1024 * 1024, "body")]
    [InlineData(4 * 1024 * 1024, "key")]
    [InlineData(4 * 1024 * 1024, "order")]
    [InlineData(4 * 1024 * 1024, "body")]
    [InlineData(16 * 1024 * 1024, "key")]
    [InlineData(16 * 1024 * 1024, "order")]
    [InlineData(16 * 1024 * 1024, "body")]
    public void Records_at_the_borders_of_the_memory_keep_their_own_bytes(int border, string part)
    {
        var batch = new RecordBatch(KeyLayout.Encoded, OrderKind.Number, coalesce: true);
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Record, ["id"], "updated_at"));
        const int Probe = 50;
        var before = Use(Text("first", 10));
        var overhead = Use(Text("first", 10), Text(part, Probe)) - before;
        var each = Use(Text("first", 10), Text(part, Probe + 1)) - before - overhead;
        foreach (var room in (long[])[border - before, border])
        {
            // One that ends a byte before, at, and a byte behind the border.
            var length = (int)((room - overhead) / each) + Probe;
            for (var i = length - 1; i <= length + 1; i++)
                Use(Text("first", 10), Text(part, i), Text("body", 10), Text(part, i), Text("last", 10));
        }

        long Use(params string[] texts)
        {
            batch.Reset(KeyLayout.Encoded, OrderKind.Number, coalesce: true);
            foreach (var text in texts)
            {
                Assert.Equal(ParsedKind.Record, parser.Parse(Encoding.UTF8.GetBytes(text), out var record));
                batch.Add(record);
            }

            for (var i = 0; i < texts.Length; i++)
            {
                using var json = JsonDocument.Parse(texts[i]);
                var (id, order) = (json.RootElement.GetProperty("id").GetString(), json.RootElement.GetProperty("updated_at").GetRawText());
                Assert.True(batch.Body(batch[i]).SequenceEqual(Encoding.UTF8.GetBytes(texts[i])));
                Assert.True(batch.KeyOf(batch[i]).ToString() == id);
                Assert.True(batch[i].OrderLength == 0 || batch.Order(batch[i]).SequenceEqual(Encoding.UTF8.GetBytes(order)));
            }

            return batch.ArenaUsed;
        }

        static string Text(string part, int length) =>
            part switch
            {
                "key" => $$"""{"id":"{{new string('k', length)}}","updated_at":1}""",
                "order" => $$"""{"id":"order","updated_at":{{new string('7', length)}}}""",
                _ => $$"""{"id":"{{part}}","updated_at":1,"x":"{{new string('x', length)}}"}""",
            };
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
        foreach (var range in (ulong[])[1, 7, 3000, uint.MaxValue, 1UL << 32, 1UL << 40, ulong.MaxValue])
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
