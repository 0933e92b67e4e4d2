using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Errors;

namespace Lockstep.Commands;

/// <summary>Waits until a table is up to date, has reached a cursor, or holds so many records.</summary>
[Cmdlet(VerbsLifecycle.Wait, "LockstepTable", DefaultParameterSetName = ByTable)]
[OutputType(typeof(TableInfo))]
public sealed class WaitLockstepTableCommand : TableCmdlet
{
    /// <summary>Waits until a sync says, after this began, that the table has all that the feed has.</summary>
    [Parameter]
    public SwitchParameter UpToDate { get; set; }

    /// <summary>Waits until the table's cursor is at or above this one.</summary>
    [Parameter]
    public string? Cursor { get; set; }

    /// <summary>Waits until the table holds at least so many records.</summary>
    [Parameter]
    [ValidateRange(0L, long.MaxValue)]
    public long? Count { get; set; }

    /// <summary>How many seconds to wait at the most; by default for ever.</summary>
    [Parameter]
    [ValidateRange(0.0, 2000000.0)]
    public double? TimeoutSec { get; set; }

    private protected override void Process()
    {
        if (!UpToDate && Cursor is null && Count is null)
            throw new InvalidOptionException("There is nothing to wait for.", "Say what for with -UpToDate, -Cursor or -Count.");

        var began = DateTimeOffset.UtcNow;
        ForEachTable(found =>
        {
            var limit = TimeoutSec is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
            var waiting = found.Table.WaitAsync(Holds, limit, TimeProvider.System, StopToken);
            while (Task.WaitAny([waiting], millisecondsTimeout: 200) < 0)
                WriteNotices();
            WriteNotices();
            var info =
                Await(new ValueTask<Engine.Tables.TableInfo?>(waiting)) ?? throw new WaitTimeoutException(found.DisplayName, limit!.Value);
            WriteObject(found.Describe(info));
        });

        bool Holds(Engine.Tables.TableInfo info) =>
            (!UpToDate || info.LastSync >= began)
            && (Cursor is null || info.HasReached(Engine.Records.Cursor.Parse(Cursor)))
            && (Count is null || info.Rows >= Count);
    }
}
