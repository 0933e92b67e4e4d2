using System.Globalization;
using System.Text;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Tests;

/// <summary>The fast ways to read and write timestamps give the same as the framework's, or nothing.</summary>
public sealed class GossipNumbersTests
{
    private const int Runs = 200_000;

    [Fact]
    public void Numbers_are_written_as_the_framework_writes_them()
    {
        var random = new Random(1);
        var output = new byte[32];
        var taken = 0;
        for (var i = 0; i < Runs; i++)
        {
            var value = Any(random);
            if (!GossipNumbers.TryWrite(value, output, out var written))
            {
                continue;
            }

            taken++;
            Assert.Equal(value.ToString("R", CultureInfo.InvariantCulture), Encoding.ASCII.GetString(output, 0, written));
        }

        Assert.True(taken > Runs / 4, $"{taken}");
    }

    [Fact]
    public void Numbers_are_read_as_the_framework_reads_them()
    {
        var random = new Random(2);
        var taken = 0;
        for (var i = 0; i < Runs; i++)
        {
            var text =
                random.Next(2) == 0
                    ? Any(random).ToString("R", CultureInfo.InvariantCulture)
                    : (random.NextInt64() >> random.Next(63)).ToString(CultureInfo.InvariantCulture)
                        + "."
                        + random.Next().ToString(CultureInfo.InvariantCulture)[..random.Next(1, 2)];
            if (!GossipNumbers.TryRead(Encoding.ASCII.GetBytes(text), out var value))
            {
                continue;
            }

            taken++;
            Assert.Equal(
                BitConverter.DoubleToInt64Bits(double.Parse(text, CultureInfo.InvariantCulture)),
                BitConverter.DoubleToInt64Bits(value)
            );
        }

        Assert.True(taken > Runs / 4, $"{taken}");
    }

    [Theory]
    [InlineData("1795260686958", true)]
    [InlineData("1795260686958.002", true)]
    [InlineData("9007199254740992", true)]
    [InlineData("0.000", true)]
    [InlineData("0", true)]
    [InlineData("9007199254740993", false)]
    [InlineData("1795260686958.00024", false)]
    [InlineData("-1", false)]
    [InlineData("1e3", false)]
    [InlineData("1795260686958000000000", false)]
    public void What_no_double_holds_exactly_is_left_to_the_framework(string text, bool read) =>
        Assert.Equal(read, GossipNumbers.TryRead(Encoding.ASCII.GetBytes(text), out _));

    [Theory]
    [InlineData(1795260686958, true)]
    [InlineData(1795260686958.002, true)]
    [InlineData(0.001, true)]
    [InlineData(3999999999999.999, true)]
    [InlineData(4000000000000, false)]
    [InlineData(1795260686958.0005, false)]
    [InlineData(0.0005, false)]
    [InlineData(0, false)]
    [InlineData(-1, false)]
    [InlineData(double.NaN, false)]
    [InlineData(double.PositiveInfinity, false)]
    public void Only_whole_thousandths_are_written(double value, bool written) =>
        Assert.Equal(written, GossipNumbers.TryWrite(value, new byte[32], out _));

    /// <summary>Timestamps with the fractions that both kinds of nodes produce, their neighbours, and numbers of any size.</summary>
    private static double Any(Random random)
    {
        var time = (double)random.NextInt64(1_600_000_000_000, 4_100_000_000_000);
        return random.Next(6) switch
        {
            0 => time,
            1 => Math.Round(time + (random.Next(1000) / 1000.0), 3),
            2 => time + (random.Next(1, 2000) / (random.Next(1, 2000) + 999.0)),
            3 => Math.BitIncrement(Math.Round(time + (random.Next(1000) / 1000.0), 3)),
            4 => Math.Round(Math.Pow(10, random.Next(-4, 15)) * random.NextDouble(), random.Next(5)),
            _ => BitConverter.Int64BitsToDouble(random.NextInt64()),
        };
    }
}
