using System.Management.Automation;
using Lockstep.Engine;

namespace Lockstep.Parameters;

/// <summary>Says which words a parameter takes, where PowerShell would speak of identifiers and enumerators.</summary>
/// <param name="type">The enumeration.</param>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class OneOfAttribute(Type type) : ArgumentTransformationAttribute
{
    /// <summary>Refuses a text that is none of the words; leaves everything else to PowerShell.</summary>
    /// <param name="engineIntrinsics">Not used.</param>
    /// <param name="inputData">What was given.</param>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        var given = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        if (given is not string text || LanguagePrimitives.TryConvertTo(text, type, out _))
            return inputData;
        var names = Enum.GetNames(type);
        throw new ArgumentTransformationMetadataException(
            $"'{PlainText.Of(text)}' is none of {string.Join(", ", names)}.{Spelling.Suggestion(text, names)}"
        );
    }
}
