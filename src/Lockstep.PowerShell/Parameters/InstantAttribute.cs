using System.Globalization;
using System.Management.Automation;

namespace Lockstep.Parameters;

/// <summary>
/// Reads a text as the same instant in every culture, as PowerShell does for its own dates: in another culture's calendar, next year may be
/// long past.
/// </summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class InstantAttribute : ArgumentTransformationAttribute
{
    /// <summary>Turns a text into an instant, in local time if it names no zone; leaves everything else to PowerShell.</summary>
    /// <param name="engineIntrinsics">Not used.</param>
    /// <param name="inputData">The argument.</param>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        var given = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        if (given is null or DateTime or DateTimeOffset)
            return inputData;
        var text = given as string ?? LanguagePrimitives.ConvertTo<string>(given);
        return given is string && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var instant)
            ? instant
            : throw new ArgumentTransformationMetadataException(
                $"'{text}' is not a time. Write it as 2030-01-31, 2030-01-31 08:00 or 2030-01-31T08:00Z."
            );
    }
}
