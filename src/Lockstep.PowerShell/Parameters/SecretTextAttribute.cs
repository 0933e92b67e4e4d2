using System.Management.Automation;

namespace Lockstep.Parameters;

/// <summary>Says how to give a secret, where PowerShell would speak of the types of .NET.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class SecretTextAttribute : ArgumentTransformationAttribute
{
    /// <summary>Refuses a plain text; leaves everything else to PowerShell.</summary>
    /// <param name="engineIntrinsics">Not used.</param>
    /// <param name="inputData">What was given.</param>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        (inputData is PSObject wrapped ? wrapped.BaseObject : inputData) is string
            ? throw new ArgumentTransformationMetadataException(
                "A secret is given as a SecureString: (Read-Host -AsSecureString), or ($text | ConvertTo-SecureString -AsPlainText)."
            )
            : inputData;
}
