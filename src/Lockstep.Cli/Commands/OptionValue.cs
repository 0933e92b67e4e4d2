using System.CommandLine;
using System.Globalization;

namespace Lockstep.Cli.Commands;

/// <summary>Values of options that exist only on the command line, checked against their ranges.</summary>
internal static class OptionValue
{
    /// <exception cref="ArgumentException">The value is below it.</exception>
    public static int AtLeast(int least, ParseResult result, Option<int> option) => (int)AtLeast(least, result.GetValue(option), option)!;

    /// <inheritdoc cref="AtLeast(int, ParseResult, Option{int})"/>
    public static int? AtLeast(int least, ParseResult result, Option<int?> option) => (int?)AtLeast(least, result.GetValue(option), option);

    /// <inheritdoc cref="AtLeast(int, ParseResult, Option{int})"/>
    public static long AtLeast(int least, ParseResult result, Option<long> option) =>
        (long)AtLeast(least, result.GetValue(option), option)!;

    /// <inheritdoc cref="AtLeast(int, ParseResult, Option{int})"/>
    public static long? AtLeast(int least, ParseResult result, Option<long?> option) => AtLeast(least, result.GetValue(option), option);

    /// <summary>A TCP port; 0 for a free one.</summary>
    /// <exception cref="ArgumentException">It is not a port.</exception>
    public static int Port(ParseResult result, Option<int> option) =>
        result.GetValue(option) is >= 0 and <= System.Net.IPEndPoint.MaxPort and var port
            ? port
            : throw new ArgumentException($"{option.Name} takes a number from 0 to {System.Net.IPEndPoint.MaxPort}.");

    /// <summary>Seconds, above zero and at most a day.</summary>
    /// <exception cref="ArgumentException">The value is out of range.</exception>
    public static TimeSpan UpToADay(ParseResult result, Option<double> option) =>
        result.GetValue(option) is > 0 and <= 86400 and var seconds
            ? TimeSpan.FromSeconds(seconds)
            : throw new ArgumentException($"{option.Name} takes seconds, above 0 and up to a day.");

    private static long? AtLeast(int least, long? value, Option option) =>
        value is null || value >= least
            ? value
            : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{option.Name} takes a number, {least} or more."));
}
