using System.Management.Automation;
using Lockstep.Engine.Tables;

namespace Lockstep.Records;

/// <summary>
/// What a table knows about a record besides its fields: its sequence number and whether it is deleted. It is a member set of the object,
/// <c>$record.LockstepState.Sequence</c>, so that it is not among the record's own fields.
/// </summary>
internal static class RecordState
{
    public const string MemberSet = "LockstepState";

    public static void Attach(PSObject record, IRecordScan scan)
    {
        // A field with that name belongs to the record and takes precedence.
        if (record.Properties[MemberSet] is null)
        {
            record.Members.Add(
                new PSMemberSet(
                    MemberSet,
                    [
                        new PSNoteProperty("Sequence", scan.Sequence),
                        new PSNoteProperty("IsDeleted", scan.IsDeleted),
                        new PSNoteProperty("Key", scan.Key.ToModel()),
                    ]
                )
            );
        }
    }
}
