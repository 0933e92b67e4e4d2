using System.Globalization;

namespace Lockstep.Engine.Records;

/// <summary>
/// Determines which moment an order value stands for, so that a table's lag can be shown: ISO 8601 text, or a number that reads as seconds,
/// milliseconds, microseconds or nanoseconds since 1970. Each unit has its own range, 2001 to 2286, and the ranges are far apart; revisions
/// or transaction counts stand for no moment.
/// </summary>
internal static class RecordTime
{
    private const long LeastSeconds = 1_000_000_000;

    /// <summary>The moment; null if the order value stands for none.</summary>
    /// <param name="order">The order value of the newest record, which is the cursor.</param>
    /// <param name="dialect">The dialect; transaction ids are no times.</param>
    public static DateTimeOffset? Of(Cursor order, Dialect? dialect)
    {
        if (order.IsStart || dialect == Dialect.Transaction)
            return null;
        var text = order.ToString();
        if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return OfNumber(number);

        var isDate = text.Length >= 10 && text[4] == '-' && text[..4].All(char.IsAsciiDigit);
        return
            isDate
            && DateTimeOffset.TryParse(
                text,
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
                out var at
            )
            ? at
            : null;
    }

    private static DateTimeOffset? OfNumber(decimal number)
    {
        for (decimal unit = 1; unit <= 1_000_000_000; unit *= 1000)
        {
            var seconds = number / unit;
            if (seconds is >= LeastSeconds and < LeastSeconds * 10)
                return DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond));
        }

        return null;
    }
}
