using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>Lists tables, with their feed, cursor, size and state.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepTable", DefaultParameterSetName = ByTable)]
[OutputType(typeof(TableInfo))]
public sealed class GetLockstepTableCommand : TableCmdlet
{
    private protected override bool PatternMayMatchNone => true;

    private protected override IEnumerable<FoundTable> DefaultTables(TablePlace place) => place.All();

    private protected override void Process() => ForEachTable(found => WriteObject(found.Describe()));
}

/// <summary>Removes tables with everything in them: their files, or what a database keeps of them.</summary>
[Cmdlet(
    VerbsCommon.Remove,
    "LockstepTable",
    DefaultParameterSetName = ByTable,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Medium
)]
public sealed class RemoveLockstepTableCommand : TableCmdlet
{
    private protected override bool PatternMayMatchNone => true;

    private protected override IEnumerable<FoundTable> DefaultTables(TablePlace place) =>
        throw new InvalidOptionException("No table is named.", "Name one with -Table or -Path.");

    private protected override void Process() =>
        ForEachTable(found =>
        {
            var name = found.Table.GetInfo().Name;
            if (!ShouldProcess(found.DisplayName, $"Remove the table '{name}'"))
                return;
            found.Table.Remove();
            SyncHealth.Forget(found.Location, name);
        });
}

/// <summary>
/// Empties tables, and unbinds them from their feeds; or empties only their quarantine. The tables stay, and sequence numbers continue.
/// </summary>
[Cmdlet(
    VerbsCommon.Clear,
    "LockstepTable",
    DefaultParameterSetName = ByTable,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Medium
)]
public sealed class ClearLockstepTableCommand : TableCmdlet
{
    /// <summary>Empties only the quarantine with its malformed records; the table's records stay.</summary>
    [Parameter]
    public SwitchParameter Quarantined { get; set; }

    private protected override IEnumerable<FoundTable> DefaultTables(TablePlace place) =>
        throw new InvalidOptionException("No table is named.", "Name one with -Table or -Path.");

    private protected override void Process() =>
        ForEachTable(found =>
        {
            var name = found.Table.GetInfo().Name;
            if (!ShouldProcess(found.DisplayName, Quarantined ? $"Empty the quarantine of '{name}'" : $"Empty the table '{name}'"))
                return;
            if (Quarantined)
                found.Table.ClearQuarantined();
            else
                found.Table.Clear();
        });
}

/// <summary>Changes settings of tables.</summary>
[Cmdlet(
    VerbsCommon.Set,
    "LockstepTable",
    DefaultParameterSetName = ByTable,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low
)]
[OutputType(typeof(TableInfo))]
public sealed class SetLockstepTableCommand : TableCmdlet
{
    /// <summary>The only fields to index from now on, at most 16: filters that compare them use the index.</summary>
    [Parameter(Mandatory = true)]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string[] Index { get; set; } = [];

    /// <summary>Returns the tables.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override IEnumerable<FoundTable> DefaultTables(TablePlace place) =>
        throw new InvalidOptionException("No table is named.", "Name one with -Table or -Path.");

    private protected override void Process() =>
        ForEachTable(found =>
        {
            if (found.Table is not Table table)
            {
                throw new InvalidOptionException(
                    "A table in PostgreSQL has no indexes for filters.",
                    "Sync it to a file, or leave -Index out: the database leaves out most of what a filter does not want."
                );
            }

            if (!ShouldProcess(found.DisplayName, Index.Length > 0 ? $"Index {string.Join(", ", Index)}" : "Drop its indexes"))
                return;
            table.SetIndexes(Index);
            if (PassThru)
                WriteObject(found.Describe());
        });
}

/// <summary>Writes copies of tables, even while they are being synced.</summary>
[Cmdlet(
    VerbsData.Backup,
    "LockstepTable",
    DefaultParameterSetName = ByTable,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low
)]
[OutputType(typeof(TableInfo))]
public sealed class BackupLockstepTableCommand : TableCmdlet
{
    /// <summary>The file of the copy, or an existing folder: then the copy gets the table's name, with <c>.db</c>.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string Destination { get; set; } = "";

    /// <summary>Overwrites an existing table file.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Returns the copy, as Get-LockstepTable does.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process()
    {
        var destination = FileSystemPath.ResolveLiteral(SessionState.Path, Destination);
        ForEachTable(found =>
        {
            if (found.Table is not Table table)
            {
                throw new InvalidOptionException(
                    "A table in PostgreSQL is backed up with its database.",
                    "Use pg_dump --schema=lockstep_tables, or write the records to a file with Export-LockstepTable."
                );
            }

            var target = Directory.Exists(destination) ? System.IO.Path.Combine(destination, table.GetInfo().Name + ".db") : destination;
            if (!ShouldProcess(found.DisplayName, $"Back up to {target}"))
                return;

            table.Backup(target, Force);
            WarnOfLoad(new Table(target).GetInfo().LoadNote);
            if (PassThru)
                WriteObject(FoundTable.OfFile(target).Describe());
        });
    }
}
