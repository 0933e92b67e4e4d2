using System.Globalization;

namespace Lockstep.Gossip.Json;

/// <summary>
/// Timestamps in their usual form, about 10^12 milliseconds with three decimals, parsed and written several times as fast as numbers in
/// general; any other form is left to the general code.
/// </summary>
internal static class GossipNumbers
{
    /// <summary>
    /// Below this, neighbouring thousandths are at least two doubles apart, so that three decimals are the shortest digits that identify
    /// the double.
    /// </summary>
    private const double MostThousands = 4e12;
    private const long MostExact = 1L << 53;
    private static readonly double[] Powers = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

    /// <summary>
    /// Parses digits with at most one point among them. Both the digits as an integer and the power of ten are exact as doubles, so their
    /// quotient is correctly rounded (Clinger, How to read floating point numbers accurately, 1990).
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out double value)
    {
        value = 0;
        if (text.Length > Powers.Length + 1)
        {
            return false;
        }

        long digits = 0;
        var point = -1;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '.' && point < 0)
            {
                point = i;
                continue;
            }

            var digit = text[i] - '0';
            if ((uint)digit > 9)
            {
                return false;
            }

            digits = (digits * 10) + digit;
        }

        var decimals = point < 0 ? 0 : text.Length - point - 1;
        if (digits > MostExact || decimals >= Powers.Length)
        {
            return false;
        }

        value = digits / Powers[decimals];
        return true;
    }

    /// <summary>Writes a number of whole thousandths.</summary>
    /// <param name="value">The number.</param>
    /// <param name="output">At least 20 bytes.</param>
    /// <param name="written">How many it took.</param>
    public static bool TryWrite(double value, Span<byte> output, out int written)
    {
        written = 0;
        if (!(value is >= 0.001 and < MostThousands))
        {
            return false;
        }

        var thousandths = (long)Math.Round(value * 1000);
        if (thousandths / 1000.0 != value)
        {
            return false;
        }

        var (whole, rest) = Math.DivRem(thousandths, 1000);
        whole.TryFormat(output, out written, default, CultureInfo.InvariantCulture);
        if (rest == 0)
        {
            return true;
        }

        output[written++] = (byte)'.';
        for (var unit = 100; rest > 0; unit /= 10)
        {
            output[written++] = (byte)('0' + (rest / unit));
            rest %= unit;
        }

        return true;
    }
}
