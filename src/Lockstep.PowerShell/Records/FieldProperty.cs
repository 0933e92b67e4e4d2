using System.Management.Automation;

namespace Lockstep.Records;

/// <summary>
/// One field of a record. PowerShell copies a property when it is added to an object; this one is made for one object only and returns
/// itself the first time, which saves half of a record's allocations. Later copies are ordinary note properties.
/// </summary>
/// <param name="name">Its name.</param>
/// <param name="value">Its value.</param>
/// <param name="isAdded">Whether it is added in a way that does not copy.</param>
internal class FieldProperty(string name, object? value, bool isAdded = false) : PSNoteProperty(name, value)
{
    private bool _added = isAdded;

    public override PSMemberInfo Copy()
    {
        if (_added)
            return base.Copy();

        _added = true;
        return this;
    }
}

/// <summary>A field whose property could not keep its name. When the object is written as a record again, the field gets it back.</summary>
internal sealed class RenamedFieldProperty(string name, object? value, string fieldName, bool isAdded = false)
    : FieldProperty(name, value, isAdded)
{
    public string Field => fieldName;
}
