using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Commands;

/// <summary>Forgets deleted records of tables up to a horizon, which the file remembers: an older cursor needs a resync.</summary>
[Cmdlet(
    VerbsCommon.Clear,
    "LockstepTombstone",
    DefaultParameterSetName = ByTable,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Medium
)]
[OutputType(typeof(TableInfo))]
public sealed class ClearLockstepTombstoneCommand : TableCmdlet
{
    /// <summary>Forgets deleted records whose order value is below this. It may not be above the table's cursor.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string Before { get; set; } = "";

    /// <summary>Returns the table as it is afterwards.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process() =>
        ForEachTable(found =>
        {
            var info = found.Table.GetInfo();
            if (!info.HasReached(Cursor.Parse(Before)))
            {
                throw new InvalidOptionException(
                    $"The table '{info.Name}' has its cursor at {info.Cursor}, below {Before}.",
                    "Name a horizon at or below the cursor: what is newer may still be sent again."
                );
            }

            if (!ShouldProcess(found.DisplayName, $"Forget the deleted records of '{info.Name}' before {Before}"))
                return;

            var removed = found.Table.ClearTombstones(Cursor.Parse(Before));
            WriteVerbose($"Forgot {removed} deleted records.");
            if (PassThru)
                WriteObject(found.Describe());
        });
}
