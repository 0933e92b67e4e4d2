using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Each applied row, tombstone or sweep gets a local, ever-rising number; reading by it misses nothing (I11).</summary>
[Trait("Invariant", "I11")]
public sealed class SequenceTests
{
    [Fact]
    public void Changes_are_numbered_in_the_order_of_arrival_and_not_of_key_or_order_value()
    {
        using var table = new TestTable();
        table.Apply("""{"id":9,"updated_at":5}""", """{"id":1,"updated_at":3}""", """{"id":5,"updated_at":4}""");

        Assert.Equal(["9", "1", "5"], table.Since(0).Select(r => r.Key));
        Assert.Equal(table.Since(0).Select(r => r.Sequence).Order(), table.Since(0).Select(r => r.Sequence));
    }

    [Fact]
    public void A_late_record_a_tombstone_and_a_swept_one_are_all_seen_by_who_reads_on()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":100}""", """{"id":2,"updated_at":101}""", """{"id":3,"updated_at":102}""");
        var seen = table.Since(0)[^1].Sequence;

        table.Apply("""{"id":4,"updated_at":7}""");
        table.Apply("""{"id":2,"updated_at":103,"deleted_at":103}""");
        table.Snapshot(SnapshotEnding.Sweep, """{"id":1,"updated_at":100}""", """{"id":4,"updated_at":7}""");

        Assert.Equal([("4", false), ("2", true), ("3", true)], table.Since(seen).Select(r => (r.Key, r.IsDeleted)));
    }

    [Fact]
    public void Numbers_never_go_back_over_reopening_sweeping_and_clearing()
    {
        using var table = new TestTable();
        long last = 0;
        void Rises()
        {
            Assert.True(table.Writer.State.Sequence > last);
            last = table.Writer.State.Sequence;
        }

        table.Apply("""{"id":1,"updated_at":1}""");
        Rises();
        table.Reopen();
        table.Apply("""{"id":2,"updated_at":2}""");
        Rises();
        table.Snapshot(SnapshotEnding.Sweep);
        Rises();
        table.Writer.Clear();
        table.Reopen();
        Assert.Equal(last, table.Writer.State.Sequence);
        table.Apply("""{"id":1,"updated_at":1}""");
        Rises();
        Assert.All(table.Since(0), r => Assert.True(r.Sequence > 3));
    }

    [Fact]
    public void Big_batches_that_are_written_by_key_are_told_in_the_order_of_arrival()
    {
        using var table = new TestTable();
        int[] keys = [.. Enumerable.Range(0, 12_000)];
        new Random(5).Shuffle(keys);

        var changes = table.Apply(keys.Select(k => $$"""{"id":{{k}},"updated_at":1}"""));

        Assert.Equal(keys.Select(k => $"+{k}"), changes);
        Assert.Equal(keys.Select(k => $"{k}"), table.Since(0).Select(r => r.Key));
    }
}
