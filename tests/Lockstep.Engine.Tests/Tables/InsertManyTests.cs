using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Records above everything stored are inserted many rows at a time: the table is the same as if each had come alone.</summary>
public sealed class InsertManyTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(RowStatements.ManyRows - 1, false)]
    [InlineData(RowStatements.ManyRows - 1, true)]
    [InlineData(RowStatements.ManyRows, false)]
    [InlineData(RowStatements.ManyRows, true)]
    [InlineData(RowStatements.ManyRows + 1, false)]
    [InlineData(RowStatements.ManyRows + 1, true)]
    [InlineData((RowStatements.ManyRows * 3) + 7, false)]
    [InlineData((RowStatements.ManyRows * 3) + 7, true)]
    public void As_one_by_one_whatever_their_number(int count, bool storedBefore)
    {
        foreach (var key in (Func<int, string>[])[i => $"{i}", i => $"\"k{i}\""])
        {
            // Every fifth is a tombstone; the keys are unordered and repeat.
            List<string> records =
            [
                .. Enumerable
                    .Range(0, count)
                    .Select(i => i * 7919 % 1009 % Math.Max(1, count - 3))
                    .Select(
                        (id, i) => $$"""{"id":{{key(id)}},"updated_at":{{i}},"deleted_at":{{(i % 5 == 4 ? i : "null")}},"name":"n{{i}}"}"""
                    ),
            ];
            using var together = new TestTable();
            using var alone = new TestTable();
            var middle = storedBefore ? count / 2 : 0;
            foreach (var record in records[..middle])
            {
                together.Apply(record);
                alone.Apply(record);
            }

            var before = together.Writer.State.Sequence;
            var changes = together.Apply(records[middle..]);
            foreach (var record in records[middle..])
                alone.Apply(record);

            Assert.Equal(alone.Live.OrderBy(r => r.Key), together.Live.OrderBy(r => r.Key));
            Assert.Equal(alone.Since(0), together.Since(0));
            Assert.Equal(alone.Writer.State.Rows, together.Writer.State.Rows);
            Assert.Equal(alone.Writer.State.Tombstones, together.Writer.State.Tombstones);
            Assert.Equal(together.Since(before).Select(r => r.Key), changes.Select(c => c[1..]));
        }
    }
}
