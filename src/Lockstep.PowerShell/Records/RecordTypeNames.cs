using System.Management.Automation;

namespace Lockstep.Records;

/// <summary>The type names that all records of a table carry, before those that PowerShell gives every custom object.</summary>
internal sealed class RecordTypeNames
{
    private readonly string[] _own;
    private readonly object? _shareable;

    /// <param name="own">The names, the most specific first.</param>
    public RecordTypeNames(params string[] own)
    {
        _own = own;
        _shareable = PSObjectAccess.ShareableTypeNames([.. own, .. new PSObject().TypeNames]);
    }

    public void ApplyTo(PSObject record)
    {
        if (_shareable is not null)
        {
            PSObjectAccess.ShareTypeNames(record, _shareable);
            return;
        }

        for (var i = 0; i < _own.Length; i++)
            record.TypeNames.Insert(i, _own[i]);
    }
}
