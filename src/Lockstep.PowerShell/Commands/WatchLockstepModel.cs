using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;

namespace Lockstep.Commands;

/// <summary>
/// Returns each change of a model's values as it arrives, whoever made it, until Ctrl+C or until the model is removed. If a key changes
/// faster than the pipeline reads, it returns the newest value.
/// </summary>
[Cmdlet(VerbsCommon.Watch, "LockstepModel")]
[OutputType(typeof(ModelValue))]
public sealed class WatchLockstepModelCommand : ModelCmdlet
{
    /// <summary>Only changes of these keys.</summary>
    [Parameter(Position = 1)]
    [SupportsWildcards]
    public string[] Key { get; set; } = [];

    /// <summary>Starts with the current values.</summary>
    [Parameter]
    public SwitchParameter IncludeExisting { get; set; }

    /// <summary>Returns the values as JSON texts, not objects.</summary>
    [Parameter]
    public SwitchParameter Raw { get; set; }

    private protected override void Process()
    {
        var model = FindModel();
        var output = new ModelOutput(this, model.Name, Raw);
        WildcardPattern[] patterns = [.. Key.Select(key => WildcardPattern.Get(key, WildcardOptions.None))];
        Pump(
            model.Values.WatchAsync(IncludeExisting, StopToken),
            change =>
            {
                if (patterns.Length == 0 || Array.Exists(patterns, pattern => pattern.IsMatch(change.Key)))
                    Attempt(() => output.Write(change));
            }
        );
    }
}
