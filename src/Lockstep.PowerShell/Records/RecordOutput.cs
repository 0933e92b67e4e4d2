using System.Management.Automation;
using System.Text;
using Lockstep.Engine.Tables;
using Lockstep.Pipeline;
using Lockstep.Tables;

namespace Lockstep.Records;

/// <summary>Writes the records of a scan to the pipeline, one after another.</summary>
internal static class RecordOutput
{
    /// <param name="cmdlet">The cmdlet that outputs them.</param>
    /// <param name="scan">The records.</param>
    /// <param name="objects">Makes objects of them; null for their JSON text.</param>
    /// <param name="tellsState">Whether the objects carry their sequence number and whether they are deleted.</param>
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

/// <summary>Returns what a table has quarantined.</summary>
internal static class QuarantineOutput
{
    public static void Write(Cmdlet cmdlet, FoundTable found, long skip, long first, CancellationToken cancellationToken)
    {
        var name = found.Table.GetInfo().Name;
        foreach (var record in found.Table.ReadQuarantined())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (skip-- > 0)
                continue;
            if (first-- <= 0)
                return;

            cmdlet.WriteObject(
                new QuarantinedRecord(name, record.At.LocalDateTime, record.ByteOffset, record.Reason, record.Bytes.ToArray())
            );
        }
    }
}
