using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A snapshot replaces the table's content at once, and sweeps what it does not contain (I6).</summary>
[Trait("Invariant", "I6")]
public sealed class SnapshotTests
{
    [Fact]
    public void What_a_complete_snapshot_does_not_hold_is_swept()
    {
        using var table = WithThree();

        var changes = table.Snapshot(
            SnapshotEnding.Sweep,
            """{"id":1,"updated_at":1}""",
            """{"id":2,"updated_at":20,"v":2}""",
            """{"id":4,"updated_at":21}"""
        );

        Assert.Equal(["*2", "+4", "-3"], changes);
        Assert.Equal(["1", "2", "4"], table.Live.Keys);
        var info = table.Table.GetInfo();
        Assert.Equal((3L, 1L), (info.Rows, info.Tombstones));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_set_of_the_same_content_with_risen_order_values_changes_nothing_and_its_order_values_count(bool isAnotherFeed)
    {
        var ending = SnapshotEnding.Sweep | (isAnotherFeed ? SnapshotEnding.ForgetOrder : 0);
        static string Row(int id, long since, string value = "a") =>
            $$$"""{"txid":{{{since}}},"current_xmin":{{{since}}},"since":{{{since}}},"deleted":false,"data":{"id":{{{id}}}"""
            + $$$""","v":"{{{value}}}"}}""";
        using var table = new TestTable();
        table.Apply(Row(1, 1), Row(2, 2));
        var before = table.Table.GetInfo().Sequence;

        Assert.Empty(table.Snapshot(ending, Row(1, 90), Row(2, 91)));

        Assert.Equal(before, table.Table.GetInfo().Sequence);
        Assert.Empty(table.Apply(Row(1, 50, "stale"), Row(2, 90, "stale")));
        Assert.Equal(["*1"], table.Apply(Row(1, 90, "newer")));
        Assert.Single(table.Since(before));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_first_set_is_counted_as_it_is_staged(bool changesItsKeys)
    {
        using var table = new TestTable();
        var records = Enumerable
            .Range(0, 900)
            .Select(i => (Id: i * 7919 % 300, Order: i))
            .Select(r => $$"""{"id":{{r.Id}},"updated_at":{{r.Order}},"deleted_at":{{(r.Order % 4 == 3 ? r.Order : "null")}}}""");

        table.Snapshot(SnapshotEnding.Sweep, changesItsKeys ? [.. records, """{"id":1.5,"updated_at":1}"""] : records);

        var info = table.Table.GetInfo();
        var stored = table.Since(0);
        Assert.Equal((stored.Count(r => !r.IsDeleted), stored.Count(r => r.IsDeleted)), ((int)info.Rows, (int)info.Tombstones));
        Assert.Equal(changesItsKeys ? 301 : 300, stored.Count);
        Assert.True(info.Tombstones > 0);
    }

    [Fact]
    public void What_was_swept_comes_back_at_a_tie_by_a_stream()
    {
        using var table = WithThree();
        table.Snapshot(SnapshotEnding.Sweep, """{"id":1,"updated_at":1}""");

        Assert.Empty(table.Apply("""{"id":3,"updated_at":2}"""));
        Assert.Equal(["+3"], table.Apply("""{"id":3,"updated_at":3}"""));
        Assert.Equal(["+2"], table.Apply("""{"id":2,"updated_at":4}"""));
        Assert.Equal((3L, 0L), (table.Table.GetInfo().Rows, table.Table.GetInfo().Tombstones));
    }

    [Fact]
    public void What_was_swept_comes_back_at_a_tie_by_a_whole_set()
    {
        using var table = WithThree();
        table.Snapshot(SnapshotEnding.Sweep);

        Assert.Equal(["+1", "+3"], table.Snapshot(SnapshotEnding.Sweep, """{"id":1,"updated_at":1}""", """{"id":3,"updated_at":3}"""));
        Assert.Equal(["+2"], table.Snapshot(SnapshotEnding.MergeOnly, """{"id":1,"updated_at":1}""", """{"id":2,"updated_at":2}"""));
        Assert.Equal(["1", "2", "3"], table.Live.Keys);
    }

    [Fact]
    public void A_tombstone_of_the_feed_that_follows_a_sweep_holds_against_the_next_whole_set()
    {
        using var table = WithThree();
        table.Snapshot(SnapshotEnding.Sweep, """{"id":1,"updated_at":1}""", """{"id":2,"updated_at":2}""");
        table.Apply("""{"id":3,"updated_at":3,"deleted_at":3}""");

        Assert.Empty(
            table.Snapshot(
                SnapshotEnding.Sweep,
                """{"id":1,"updated_at":1}""",
                """{"id":2,"updated_at":2}""",
                """{"id":3,"updated_at":3}"""
            )
        );
        Assert.Equal(["1", "2"], table.Live.Keys);
    }

    [Fact]
    [Trait("Invariant", "I3")]
    public void At_a_tie_a_whole_set_does_not_revive_what_the_feed_deleted()
    {
        using var table = WithThree();
        table.Apply("""{"id":3,"updated_at":5,"deleted_at":5}""");
        string[] set = ["""{"id":1,"updated_at":1}""", """{"id":2,"updated_at":2}""", """{"id":3,"updated_at":5}"""];

        Assert.Empty(table.Snapshot(SnapshotEnding.Sweep, set));
        // Within a stream the later arrival wins, also within that of the whole set itself.
        Assert.Equal(["+3"], table.Apply("""{"id":3,"updated_at":5}"""));
        table.Apply("""{"id":3,"updated_at":5,"deleted_at":5}""");
        Assert.Equal(
            ["+3"],
            table.Snapshot(SnapshotEnding.Sweep, [.. set, """{"id":3,"updated_at":6,"deleted_at":6}""", """{"id":3,"updated_at":6}"""])
        );
    }

    [Fact]
    public void With_string_cursors_a_whole_set_brings_back_what_was_swept_or_deleted()
    {
        using var table = new TestTable();
        string[] set = ["""{"id":1,"updated_at":"b"}""", """{"id":2,"updated_at":"a"}"""];
        table.Apply(set);
        table.Apply("""{"id":1,"updated_at":"c","deleted_at":1}""");
        table.Snapshot(SnapshotEnding.Sweep);

        Assert.Equal(["+1", "+2"], table.Snapshot(SnapshotEnding.Sweep, set));
    }

    [Fact]
    public void What_was_gone_before_is_no_deletion_when_another_feed_has_deleted_it_too()
    {
        using var table = WithThree();
        table.Apply("""{"id":2,"updated_at":9,"deleted_at":9}""", """{"id":3,"updated_at":9,"deleted_at":9}""");

        var changes = table.Snapshot(
            SnapshotEnding.Sweep | SnapshotEnding.ForgetOrder,
            """{"id":1,"updated_at":1}""",
            """{"id":2,"updated_at":9,"deleted_at":9}""",
            """{"id":4,"updated_at":1}"""
        );

        Assert.Equal(["+4"], changes);
        Assert.Equal((2L, 1L), (table.Table.GetInfo().Rows, table.Table.GetInfo().Tombstones));
        // The other feed's order counts for what it has deleted; what only the first one had deleted is forgotten.
        Assert.Equal(["+3"], table.Apply("""{"id":2,"updated_at":8}""", """{"id":3,"updated_at":1}"""));
    }

    [Fact]
    public void Tombstones_survive_a_snapshot_of_the_same_feed()
    {
        using var table = WithThree();
        table.Apply("""{"id":2,"updated_at":9,"deleted_at":9}""");

        var changes = table.Snapshot(
            SnapshotEnding.Sweep,
            """{"id":1,"updated_at":1}""",
            """{"id":2,"updated_at":8}""",
            """{"id":3,"updated_at":3}"""
        );

        Assert.Empty(changes);
        Assert.Equal(["1", "3"], table.Live.Keys);
        Assert.Empty(table.Apply("""{"id":2,"updated_at":8}"""));
    }

    [Fact]
    public void With_a_new_identity_order_values_and_tombstones_are_discarded()
    {
        using var table = WithThree();
        table.Apply("""{"id":2,"updated_at":900,"deleted_at":9}""");

        var changes = table.Snapshot(
            SnapshotEnding.Sweep | SnapshotEnding.ForgetOrder,
            """{"id":1,"updated_at":1,"v":"other"}""",
            """{"id":2,"updated_at":1}"""
        );

        Assert.Equal(["*1", "+2", "-3"], changes);
        Assert.Equal(["*1"], table.Apply("""{"id":1,"updated_at":2,"v":"newer"}"""));
        Assert.Equal(["1", "2"], table.Live.Keys);
    }

    [Fact]
    public void An_empty_snapshot_is_a_snapshot()
    {
        using var table = WithThree();

        Assert.Equal(["-1", "-2", "-3"], table.Snapshot(SnapshotEnding.Sweep));
        Assert.Empty(table.Live);
        Assert.Equal(3, table.Table.GetInfo().Tombstones);
    }

    [Fact]
    public void A_snapshot_that_is_not_known_to_be_complete_sweeps_nothing()
    {
        using var table = WithThree();

        Assert.Equal(["+4"], table.Snapshot(SnapshotEnding.MergeOnly, """{"id":4,"updated_at":4}"""));
        Assert.Equal(["1", "2", "3", "4"], table.Live.Keys);
    }

    [Fact]
    public void Readers_see_the_old_set_until_the_new_one_is_complete()
    {
        using var table = WithThree();

        table.StageOnly("""{"id":7,"updated_at":70}""");
        Assert.Equal(["1", "2", "3"], table.Live.Keys);
        using var old = table.Table.Read();
        Assert.True(old.Read());
        table.Writer.CompleteSnapshot(new TableCommit(), SnapshotEnding.Sweep);

        Assert.True(old.Read());
        Assert.Equal("2", old.Key.ToString());
        Assert.Equal(["7"], table.Live.Keys);
    }

    [Fact]
    public void A_snapshot_that_is_given_up_or_crashes_leaves_the_table_as_it_was()
    {
        using var table = WithThree();

        table.StageOnly("""{"id":7,"updated_at":70}""");
        table.Writer.DiscardSnapshot();
        Assert.Equal(["1", "2", "3"], table.Live.Keys);
        table.StageOnly("""{"id":8,"updated_at":70}""");
        table.Reopen();

        Assert.Equal(["1", "2", "3"], table.Live.Keys);
        Assert.Equal(["+9", "-1", "-2", "-3"], table.Snapshot(SnapshotEnding.Sweep, """{"id":9,"updated_at":70}"""));
    }

    [Fact]
    public void Into_an_empty_table_a_snapshot_becomes_the_table()
    {
        using var table = new TestTable();

        Assert.Equal(
            ["+2", "+1", "-3"],
            table.Snapshot(
                SnapshotEnding.Sweep,
                """{"id":2,"updated_at":1}""",
                """{"id":1,"updated_at":2}""",
                """{"id":3,"updated_at":3,"deleted_at":1}"""
            )
        );
        Assert.Equal(["1", "2"], table.Live.Keys);
        Assert.Equal(["*1"], table.Apply("""{"id":1,"updated_at":5}"""));
    }

    [Fact]
    public void A_snapshot_may_bring_the_first_key_that_is_no_integer()
    {
        using var table = WithThree();

        var changes = table.Snapshot(SnapshotEnding.Sweep, """{"id":1,"updated_at":1}""", """{"id":1e30,"updated_at":9}""");

        Assert.Equal(2, table.Live.Count);
        Assert.Equal(3, changes.Count);
        Assert.Contains("1", table.Live.Keys);
    }

    private static TestTable WithThree()
    {
        var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1}""", """{"id":2,"updated_at":2}""", """{"id":3,"updated_at":3}""");
        return table;
    }
}
