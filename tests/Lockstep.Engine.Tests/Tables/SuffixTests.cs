using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Applying a whole suffix of what was sent again, in order, ends in the same table (I2).</summary>
[Trait("Invariant", "I2")]
public sealed class SuffixTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void Any_repeated_suffix_ends_in_the_same_table(bool everyVersion, bool textOrder)
    {
        // A feed with ties: the same order value may come for one key several times, and decides by arrival.
        Gen<(int Key, int Order, bool Deleted)[]> feeds = Gen.ArrayOf(
            from key in Gen.Choose(0, 4)
            from order in Gen.Choose(1, 4)
            from deleted in Gen.Elements(true, false, false)
            select (key, order, deleted)
        );
        Prop.ForAll(
                Arb.From(feeds),
                Arb.From(Gen.Choose(0, 30)),
                (sent, from) =>
                {
                    string[] records = [.. sent.Select((v, i) => Json(v, i, textOrder))];
                    using var once = new TestTable { EveryVersion = everyVersion };
                    using var again = new TestTable { EveryVersion = everyVersion };
                    once.Apply(records);
                    again.Apply(records);
                    var changes = again.Apply(records.Skip(Math.Min(from, records.Length)));
                    again.Reopen();
                    again.Apply(records.Skip(Math.Min(from, records.Length)));

                    Assert.Equal(once.Live, again.Live);
                    if (from >= records.Length)
                        Assert.Empty(changes);
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(15));
    }

    [Fact]
    [Trait("Invariant", "I4")]
    public void Boundary_records_that_come_again_unchanged_are_no_changes()
    {
        using var table = new TestTable();
        string[] records = ["""{"id":1,"updated_at":7}""", """{"id":2,"updated_at":7,"deleted_at":7}""", """{"id":3,"updated_at":7}"""];
        Assert.Equal(["+1", "-2", "+3"], table.Apply(records));
        var sequence = table.Writer.State.Sequence;

        Assert.Empty(table.Apply(records));
        Assert.Empty(table.Apply(["""{ "updated_at": 7, "id": 1 }"""]));
        table.Reopen();
        Assert.Empty(table.Apply(records));

        Assert.Equal(sequence, table.Writer.State.Sequence);
    }

    private static string Json((int Key, int Order, bool Deleted) version, int index, bool textOrder)
    {
        var order = textOrder ? $"\"s{version.Order}\"" : version.Order.ToString(CultureInfo.InvariantCulture);
        return string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"id":{{version.Key}},"updated_at":{{order}},"deleted_at":{{(version.Deleted ? "1" : "null")}},"n":{{index}}}"""
        );
    }
}
