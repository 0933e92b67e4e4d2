using System.CommandLine.Parsing;
using System.Globalization;

namespace Lockstep.Cli.Commands;

/// <summary>An option that takes a number of bytes: 134217728, or 128MB in PowerShell's notation.</summary>
internal static class BytesOption
{
    private static readonly (string Suffix, long Bytes)[] Units = [("KB", 1L << 10), ("MB", 1L << 20), ("GB", 1L << 30), ("TB", 1L << 40)];

    public static long? Parse(ArgumentResult argument)
    {
        var text = argument.Tokens[0].Value;
        var (suffix, unit) = Units.FirstOrDefault(unit => text.EndsWith(unit.Suffix, StringComparison.OrdinalIgnoreCase), ("", 1));
        if (
            long.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count <= long.MaxValue / unit
        )
        {
            return count * unit;
        }

        argument.AddError(
            $"{(argument.Parent as OptionResult)?.Option.Name} takes a number of bytes, as 134217728 or 128MB, and not '{text}'."
        );
        return null;
    }
}
