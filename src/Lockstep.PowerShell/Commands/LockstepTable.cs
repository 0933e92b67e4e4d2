using System.Management.Automation;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>Tells what tables there are, and what they say of themselves.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepTable", DefaultParameterSetName = ByTable)]
[OutputType(typeof(TableInfo))]
public sealed class GetLockstepTableCommand : TableCmdlet
{
    private protected override IEnumerable<string> DefaultTables => TableLookup.All(SessionState.Path).Select(table => table.Path);

    private protected override void Process() => ForEachTable(path => WriteObject(TableLookup.Describe(path)));
}

/// <summary>Removes tables: their files, with everything in them.</summary>
[Cmdlet(VerbsCommon.Remove, "LockstepTable", DefaultParameterSetName = ByTable, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
public sealed class RemoveLockstepTableCommand : TableCmdlet
{
    private protected override IEnumerable<string> DefaultTables => throw new InvalidOptionException("No table is named.", "Say which one with -Table or -Path.");

    private protected override void Process() => ForEachTable(path =>
    {
        var table = new Table(path);
        var name = table.GetInfo().Name;
        if (ShouldProcess(TableLookup.NameOf(path), $"Remove the table '{name}'"))
            table.Remove();
    });
}

/// <summary>Empties tables, and lets go of the feeds that they belong to. The files stay, and sequence numbers go on.</summary>
[Cmdlet(VerbsCommon.Clear, "LockstepTable", DefaultParameterSetName = ByTable, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
public sealed class ClearLockstepTableCommand : TableCmdlet
{
    private protected override IEnumerable<string> DefaultTables => throw new InvalidOptionException("No table is named.", "Say which one with -Table or -Path.");

    private protected override void Process() => ForEachTable(path =>
    {
        var table = new Table(path);
        var name = table.GetInfo().Name;
        if (ShouldProcess(TableLookup.NameOf(path), $"Empty the table '{name}'"))
            table.Clear();
    });
}

/// <summary>Writes copies of tables, while syncs of them may go on.</summary>
[Cmdlet(VerbsData.Backup, "LockstepTable", DefaultParameterSetName = ByTable, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(TableInfo))]
public sealed class BackupLockstepTableCommand : TableCmdlet
{
    /// <summary>The file of the copy, or a folder that exists: then the copy is called as the table, with <c>.db</c>.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string Destination { get; set; } = "";

    /// <summary>Overwrites a table file that is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Puts out what the copy says of itself.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process()
    {
        var destination = FileSystemPath.ResolveLiteral(SessionState.Path, Destination);
        ForEachTable(path =>
        {
            var table = new Table(path);
            var target = Directory.Exists(destination) ? System.IO.Path.Combine(destination, table.GetInfo().Name + ".db") : destination;
            if (!ShouldProcess(TableLookup.NameOf(path), $"Back up to {target}"))
                return;

            table.Backup(target, Force);
            if (PassThru)
                WriteObject(TableLookup.Describe(target));
        });
    }
}
