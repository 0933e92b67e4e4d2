using System.Text;
using Lockstep.Commands;
using Lockstep.Engine.Tables;

namespace Lockstep.Records;

/// <summary>Puts what a scan reads out to the pipeline, one record after another.</summary>
internal static class RecordOutput
{
    /// <param name="cmdlet">Whose output it goes to.</param>
    /// <param name="scan">The records.</param>
    /// <param name="objects">Makes objects of them; null for their JSON text.</param>
    /// <param name="tellsState">Whether the objects tell their sequence number and whether they are deleted.</param>
    public static void Write(LockstepCmdlet cmdlet, IRecordScan scan, RecordObjects? objects, bool tellsState)
    {
        while (!cmdlet.Stopping && scan.Read())
        {
            if (objects is null)
            {
                cmdlet.WriteObject(Encoding.UTF8.GetString(scan.Json));
                continue;
            }

            var record = objects.Read(scan.Json);
            if (tellsState)
                RecordState.Attach(record, scan);

            cmdlet.WriteObject(record);
        }
    }
}
