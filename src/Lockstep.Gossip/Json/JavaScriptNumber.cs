using System.Buffers;
using System.Globalization;
using System.Text;

namespace Lockstep.Gossip.Json;

/// <summary>Numbers in the shortest form that identifies them, as JavaScript writes them (ECMA-262, Number::toString).</summary>
internal static class JavaScriptNumber
{
    /// <summary>Writes a number as JavaScript does; what a double cannot represent becomes null, as in JavaScript.</summary>
    public static void Write(double value, IBufferWriter<byte> output) => output.Advance(Format(value, output.GetSpan(32)));

    /// <summary>As <see cref="Write"/>, into at least 32 bytes; returns how many it took.</summary>
    public static int Format(double value, Span<byte> output)
    {
        if (GossipNumbers.TryWrite(value, output, out var written))
        {
            return written;
        }

        if (Math.Abs(value) is >= 1e-4 and < 1e15)
        {
            value.TryFormat(output, out written, default, CultureInfo.InvariantCulture);
            return written;
        }

        return Encoding.ASCII.GetBytes(LayOut(value), output);
    }

    private static string LayOut(double value)
    {
        if (value == 0)
        {
            return "0";
        }

        if (!double.IsFinite(value))
        {
            return "null";
        }

        // The framework's shortest round-trip digits are JavaScript's; only their layout differs.
        var shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        var mark = shortest.IndexOf('E', StringComparison.Ordinal);
        var exponent = mark < 0 ? 0 : int.Parse(shortest.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var mantissa = mark < 0 ? shortest : shortest[..mark];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var position = (point < 0 ? mantissa.Length : point) + exponent;
        var padded = mantissa.Replace(".", string.Empty, StringComparison.Ordinal);
        var digits = padded.TrimStart('0');
        position -= padded.Length - digits.Length;
        digits = digits.TrimEnd('0');

        var sign = value < 0 ? "-" : string.Empty;
        if (position is > 0 and <= 21)
        {
            return sign + (digits.Length <= position ? digits.PadRight(position, '0') : digits[..position] + "." + digits[position..]);
        }

        if (position is > -6 and <= 0)
        {
            return sign + "0." + new string('0', -position) + digits;
        }

        var power = position - 1;
        var tail = digits.Length > 1 ? "." + digits[1..] : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"{sign}{digits[0]}{tail}e{(power < 0 ? "-" : "+")}{Math.Abs(power)}");
    }
}
