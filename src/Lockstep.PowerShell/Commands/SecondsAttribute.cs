using System.Globalization;
using System.Management.Automation;

namespace Lockstep.Commands;

/// <summary>Lets a number stand for seconds where a TimeSpan is wanted. PowerShell by itself would take it for ticks.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class SecondsAttribute : ArgumentTransformationAttribute
{
    /// <summary>Turns numbers, and texts that are numbers, into a TimeSpan of so many seconds; leaves everything else to PowerShell.</summary>
    /// <param name="engineIntrinsics">Not used.</param>
    /// <param name="inputData">What was given.</param>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        var given = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        return given switch
        {
            int or long or double or decimal or float => FromSeconds(Convert.ToDouble(given, CultureInfo.InvariantCulture)),
            string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) => FromSeconds(seconds),
            _ => inputData,
        };
    }

    private static TimeSpan FromSeconds(double seconds) => seconds >= 0 && seconds < TimeSpan.MaxValue.TotalSeconds
        ? TimeSpan.FromSeconds(seconds)
        : throw new ArgumentTransformationMetadataException("A time is a number of seconds that is not negative, or a TimeSpan.");
}
