using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Records;
using Lockstep.Terminal;

namespace Lockstep.Commands;

/// <summary>Shows a table live in the terminal, while a sync in this or another process commits changes.</summary>
[Cmdlet(VerbsCommon.Show, "LockstepTable", DefaultParameterSetName = ByTable)]
[OutputType(typeof(string))]
public sealed class ShowLockstepTableCommand : FilteredTableCmdlet
{
    /// <summary>Only these fields, in this order; wildcards are allowed.</summary>
    [Parameter]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string[]? Property { get; set; }

    /// <summary>Shows it for this long: seconds, or a TimeSpan; by default until Ctrl+C.</summary>
    [Parameter]
    [Alias("FollowFor")]
    [Seconds]
    public TimeSpan? For { get; set; }

    /// <summary>Writes all lines once, as plain text.</summary>
    [Parameter]
    public SwitchParameter Once { get; set; }

    private protected override void Process()
    {
        var query = new RecordQuery { Filter = Filter, FilterParameters = QueryValues.Parameters(FilterParameter) };
        ForEachTable(found =>
        {
            var scene = new TableScene(found, query, Property, WriteWarning, TimeProvider.System);
            if (Once || !TerminalScreen.IsThere(Host))
            {
                WriteObject(scene.Draw(TerminalScreen.SizeOf(Host).Width, height: 0), enumerateCollection: true);
                return;
            }

            var start = TimeProvider.System.GetTimestamp();
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(StopToken);
            using var screen = new TerminalScreen();
            // The engine returns several times a second, even if nothing has changed: marks fade, and the window may have been resized.
            Pump(
                found.Table.WatchAsync(null, TimeProvider.System, ended.Token),
                changes =>
                {
                    scene.Note(changes);
                    var (width, height) = TerminalScreen.SizeOf(Host);
                    screen.Show(scene.Draw(width, height));
                    if (TimeProvider.System.GetElapsedTime(start) >= For)
                        ended.Cancel();
                }
            );
        });
    }
}
