namespace Lockstep.Engine.Tests.Tables;

/// <summary>In a commit of many records, most are applied by one statement each, which tests and replaces.</summary>
public sealed class ReplaceTests
{
    private const int Ids = 200;
    private const int Rounds = 30;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void I3_records_of_one_commit_have_the_effect_that_they_have_in_commits_of_their_own(int seed)
    {
        var random = new Random(seed);
        using TestTable together = new(),
            single = new();

        for (var round = 0; round < Rounds; round++)
        {
            var records = Round(random, round);
            var changes = together.Apply(records);

            Assert.Equal(records.SelectMany(record => single.Apply(record)), changes);
            Assert.Equal(single.Live, together.Live);
            Assert.Equal(
                (single.Writer.State.Rows, single.Writer.State.Tombstones),
                (together.Writer.State.Rows, together.Writer.State.Tombstones)
            );
        }
    }

    /// <summary>Each id at most once: most are newer than what is stored, some as old, older, unchanged, deleted or new.</summary>
    private static string[] Round(Random random, int round) =>
        [
            .. Enumerable
                .Range(0, Ids)
                .Where(id => random.Next(4) > 0 && (id % 3 > 0 || round > 10))
                .Select(id =>
                {
                    var order = random.Next(8) switch
                    {
                        0 => 100 + round - random.Next(3),
                        1 => 99 + round,
                        _ => 100 + round,
                    };
                    // Some order values are too large for 64 bits.
                    var text = random.Next(200) == 0 ? $"{order}00000000000000000000" : $"{order}";
                    var deleted = random.Next(20) == 0 ? text : "null";
                    return $$"""{"id":{{id}},"updated_at":{{text}},"deleted_at":{{deleted}},"v":{{random.Next(2)}}}""";
                }),
        ];
}
