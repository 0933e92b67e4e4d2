using System.Management.Automation;
using System.Text;
using Lockstep.Engine.Tables;
using Lockstep.Pipeline;
using Lockstep.Tables;

namespace Lockstep.Records;

/// <summary>Writes the records of a scan to the pipeline, one after another.</summary>
internal static class RecordOutput
{
    /// <summary>The first records are written as they are read, so that a consumer of only a few does not wait for more.</summary>
    private const int WrittenAtOnce = 256;

    /// <param name="cmdlet">The cmdlet that outputs them.</param>
    /// <param name="scan">The records.</param>
    /// <param name="objects">Creates the factory of their objects, given where its warnings go; null for their JSON text.</param>
    /// <param name="tellsState">Whether the objects carry their sequence number and whether they are deleted.</param>
    public static void Write(LockstepCmdlet cmdlet, IRecordScan scan, Func<Action<string>, RecordObjects>? objects, bool tellsState)
    {
        Action<string> warn = cmdlet.WriteWarning;
        var records = objects?.Invoke(text => warn(text));
        // A filter may read many records for one, and a database may keep one waiting: neither may be left for another thread to abandon.
        var goesAhead = !tellsState && scan is RecordScan { MayGoAhead: true };
        for (var written = 0; !cmdlet.Stopping && scan.Read(); written++)
        {
            if (records is null)
            {
                cmdlet.WriteObject(Encoding.UTF8.GetString(scan.CheckedJson));
                continue;
            }

            var record = records.Read(scan);
            if (tellsState)
                RecordState.Attach(record, scan);

            cmdlet.WriteObject(record);
            if (goesAhead && written >= WrittenAtOnce)
            {
                using var ahead = new RecordsAhead(scan, records);
                warn = ahead.Warn;
                ahead.WriteTo(cmdlet);
                return;
            }
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
