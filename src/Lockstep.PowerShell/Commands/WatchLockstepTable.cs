using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Records;

namespace Lockstep.Commands;

/// <summary>Returns the changes of a table as a sync in this or another process commits them, until Ctrl+C or for a given time.</summary>
[Cmdlet(VerbsCommon.Watch, "LockstepTable", DefaultParameterSetName = ByTable)]
[OutputType(typeof(Change))]
public sealed class WatchLockstepTableCommand : TableCmdlet
{
    /// <summary>The sequence number after which to start; by default only new changes.</summary>
    [Parameter]
    [ValidateRange(0L, long.MaxValue)]
    public long? Since { get; set; }

    /// <summary>Watches for this long: seconds, or a TimeSpan; by default until Ctrl+C.</summary>
    [Parameter]
    [Alias("FollowFor")]
    [Seconds]
    public TimeSpan? For { get; set; }

    private protected override void Process() =>
        ForEachTable(found =>
        {
            var start = TimeProvider.System.GetTimestamp();
            var info = found.Table.GetInfo();
            var objects = new RecordObjects(info.Name, WriteWarning, properties: null, info.Fields);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(StopToken);
            Pump(
                found.Table.WatchAsync(Since, TimeProvider.System, ended.Token),
                changes =>
                {
                    WriteNotices();
                    foreach (var change in changes)
                    {
                        WriteObject(
                            new Change((ChangeKind)change.Kind, change.Key.ToModel(), change.Sequence, objects.Read(change.Record))
                        );
                    }

                    // The engine returns several times a second, even if nothing has changed.
                    if (TimeProvider.System.GetElapsedTime(start) >= For)
                        ended.Cancel();
                }
            );
        });
}
