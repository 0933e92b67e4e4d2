using System.Text.Json;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>Which keys a percentage includes.</summary>
public sealed class TickPercentageTests
{
    /// <summary>
    /// As the documentation says: printf checkout:user-1 | sha256sum, with its first 16 digits as a fraction of 2 to the power of 64.
    /// </summary>
    [Theory]
    [InlineData("user-1", 16.570486)]
    [InlineData("", 92.805948)]
    [InlineData("é€😀", 9.595869)]
    public void A_keys_place_is_that_of_the_documented_hash(string key, double place) =>
        Assert.Equal((decimal)place, new TickPercentage("checkout", 0).PositionOf(key));

    [Fact]
    public void A_key_that_is_in_stays_in_while_the_percentage_rises()
    {
        var keys = Enumerable.Range(0, 2000).Select(i => $"user-{i}").ToList();
        var before = new HashSet<string>();
        for (var percent = 0m; percent <= 100; percent += 0.5m)
        {
            var now = keys.Where(new TickPercentage("checkout", percent).Includes).ToHashSet();
            Assert.Superset(before, now);
            before = now;
        }

        Assert.Equal(keys.Count, before.Count);
        Assert.DoesNotContain(keys, new TickPercentage("checkout", 0).Includes);
    }

    [Fact]
    public void Keys_are_spread_evenly_and_otherwise_for_each_variable()
    {
        const int Count = 100_000;
        var places = new int[100];
        var both = 0;
        var (one, other) = (new TickPercentage("one", 50), new TickPercentage("other", 50));
        for (var i = 0; i < Count; i++)
        {
            places[(int)one.PositionOf($"{i}")]++;
            both += one.Includes($"{i}") && other.Includes($"{i}") ? 1 : 0;
        }

        // Each of a hundred places gets a thousand, give or take 31: five times that is beyond chance. The hash is fixed, so this is too.
        Assert.All(places, count => Assert.InRange(count, 1000 - 160, 1000 + 160));
        Assert.InRange(both, (Count / 4) - 700, (Count / 4) + 700);
    }

    [Fact]
    public void A_key_is_in_exactly_above_its_place()
    {
        var place = new TickPercentage("checkout", 0).PositionOf("user-1");

        Assert.False(new TickPercentage("checkout", place).Includes("user-1"));
        Assert.True(new TickPercentage("checkout", place + 0.000001m).Includes("user-1"));
    }

    [Theory]
    [InlineData("25.5", 25.5)]
    [InlineData("true", 100)]
    [InlineData("false", 0)]
    [InlineData("null", 0)]
    [InlineData(null, 0)]
    public void A_percentage_is_a_number_or_all_or_nothing(string? json, double percent) =>
        Assert.Equal((decimal)percent, TickPercentage.Parse("x", json).Percent);

    [Theory]
    [InlineData("-0.1")]
    [InlineData("100.1")]
    [InlineData("1e400")]
    [InlineData("\"25\"")]
    [InlineData("{}")]
    public void Anything_else_is_none(string json) => Assert.Throws<JsonException>(() => TickPercentage.Parse("x", json));
}
