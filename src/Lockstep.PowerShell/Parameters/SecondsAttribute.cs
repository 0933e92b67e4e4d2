using System.Globalization;
using System.Management.Automation;
using Lockstep.Engine;

namespace Lockstep.Parameters;

/// <summary>
/// Reads a number as seconds for a TimeSpan parameter, and <c>250ms</c> or <c>2h</c> as that duration. PowerShell itself would treat a
/// number as ticks.
/// </summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class SecondsAttribute : ArgumentTransformationAttribute
{
    /// <summary>Turns numbers, and texts that are numbers or have a unit, into a TimeSpan; leaves everything else to PowerShell.</summary>
    /// <param name="engineIntrinsics">Not used.</param>
    /// <param name="inputData">The argument.</param>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        var given = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        return given switch
        {
            // PowerShell reads 3s as a short and 7d as a decimal, but knows how a number was written.
            short or decimal when DurationText.TryParse(LanguagePrimitives.ConvertTo<string>(inputData), out var written) => written,
            int or long or double or decimal or float or short or byte => FromSeconds(
                Convert.ToDouble(given, CultureInfo.InvariantCulture)
            ),
            string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) => FromSeconds(
                seconds
            ),
            string text when DurationText.TryParse(text, out var duration) => duration,
            null => inputData,
            _ => given is TimeSpan or string
            && LanguagePrimitives.TryConvertTo<TimeSpan>(given, CultureInfo.InvariantCulture, out var span)
            && span >= TimeSpan.Zero
                ? span
                : throw Wrong(),
        };
    }

    private static TimeSpan FromSeconds(double seconds) =>
        seconds >= 0 && seconds < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds) : throw Wrong();

    private static ArgumentTransformationMetadataException Wrong() =>
        new("A duration is a number of seconds, such as 0.5, or 500ms, 2h, 00:01:30 or a TimeSpan; it is not negative.");
}
