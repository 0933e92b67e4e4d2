using System.Management.Automation;
using Lockstep.Tables;

namespace Lockstep.Records;

/// <summary>Puts out what a table has set aside.</summary>
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
