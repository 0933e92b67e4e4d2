using System.Management.Automation;

namespace Lockstep.Parameters;

/// <summary>
/// Replaces an object that names a table, such as a row of a CSV file, by that name: its property Table, or else Name. Otherwise PowerShell
/// would bind the whole object from the pipeline, as the text <c>@{Name=servers}</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class TableNameAttribute : ArgumentTransformationAttribute
{
    /// <summary>Replaces such an object with the name; leaves everything else to PowerShell.</summary>
    /// <param name="engineIntrinsics">Not used.</param>
    /// <param name="inputData">The argument.</param>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        inputData is PSObject { BaseObject: PSCustomObject } given
        && (given.Properties["Table"] ?? given.Properties["Name"])?.Value is { } name
        && (name is PSObject wrapped ? wrapped.BaseObject : name) is string text
            ? text
            : inputData;
}
