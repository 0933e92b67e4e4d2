using System.Globalization;
using System.Text;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Reliability;

/// <summary>A feed's whole history and what a table must hold after any prefix of it. The order values are 1, 2, 3...</summary>
internal sealed class Truth
{
    private readonly byte[][] _records;
    private readonly int _keys;

    public Truth(int count, int keys)
    {
        _keys = keys;
        _records = [.. Enumerable.Range(1, count).Select(i => Encoding.UTF8.GetBytes(Text(i)))];
    }

    public int Count => _records.Length;

    /// <summary>The record of an order value, from 1.</summary>
    public byte[] this[int order] => _records[order - 1];

    /// <summary>What a finite answer to a cursor contains.</summary>
    public byte[] From(int cursor) => [.. _records.Skip(Math.Max(0, cursor - 1)).SelectMany(r => r)];

    /// <summary>Whether the table is the net effect of the first <paramref name="length"/> records.</summary>
    public void AssertPrefix(string path, int length)
    {
        var expected = new Dictionary<long, int>();
        for (var order = 1; order <= length; order++)
        {
            if (IsDeletion(order))
            {
                expected.Remove(Key(order));
            }
            else
            {
                expected[Key(order)] = order;
            }
        }

        using var scan = new Table(path).Read();
        long rows = 0;
        while (scan.Read())
        {
            rows++;
            var key = (long)scan.Key.Parts[0];
            Assert.True(expected.TryGetValue(key, out var order), $"record {key} should not be there after {length}");
            Assert.True(
                scan.Json.SequenceEqual(this[order].AsSpan()[..^1]),
                $"record {key} is {Encoding.UTF8.GetString(scan.Json)} after {length}"
            );
        }

        Assert.Equal(expected.Count, rows);
        Assert.Equal(rows, new Table(path).GetInfo().Rows);
    }

    private int Key(int order) => (int)(order * 7919L % _keys);

    private static bool IsDeletion(int order) => order % 11 == 0;

    private string Text(int order) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"id":{{Key(order)}},"updated_at":{{order}},"deleted_at":{{(IsDeletion(order) ? "1" : "null")}}"""
                + $$""","name":"record {{order}} {}\"é😀"}"""
        ) + "\n";
}
