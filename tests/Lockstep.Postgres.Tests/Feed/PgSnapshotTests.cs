using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Tests.Feed;

public class PgSnapshotTests
{
    [Theory]
    [InlineData("726:726:")]
    [InlineData("10:20:10,14,19")]
    [InlineData("5000000000:5000000010:5000000000")]
    public void What_the_server_prints_is_read_and_printed_the_same(string text) => Assert.Equal(text, PgSnapshot.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("10:20")]
    [InlineData("20:10:")]
    [InlineData("10:20:9")]
    [InlineData("10:20:20")]
    [InlineData("10:20:14,14")]
    [InlineData("10:20:15,14")]
    [InlineData("-1:20:")]
    [InlineData("10:20:x")]
    public void What_is_no_snapshot_is_refused(string text) => Assert.False(PgSnapshot.TryParse(text, out _));

    [Fact]
    public void It_shows_what_had_ended_when_it_was_taken()
    {
        var snapshot = PgSnapshot.Parse("10:20:10,14,19");
        Assert.Equal([10, 14, 19, 20, 21], Enumerable.Range(1, 21).Where(txid => !snapshot.Shows(txid)));
    }

    [Fact]
    public void Being_within_another_is_to_show_a_subset()
    {
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var (a, b) = (Any(random), Any(random));
            var subset = Enumerable.Range(0, 40).Where(txid => a.Shows(txid)).All(txid => b.Shows(txid));
            Assert.True(subset == a.IsWithin(b), $"{a} in {b}");
        }
    }

    private static PgSnapshot Any(Random random)
    {
        var xmin = random.Next(1, 20);
        var xmax = xmin + random.Next(0, 8);
        var inProgress = Enumerable.Range(xmin, xmax - xmin).Where(_ => random.Next(3) == 0);
        return PgSnapshot.Parse($"{xmin}:{xmax}:{string.Join(',', inProgress)}");
    }
}
