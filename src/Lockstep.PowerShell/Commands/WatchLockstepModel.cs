using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;

namespace Lockstep.Commands;

/// <summary>
/// Returns each change of a model's values as it comes, by anyone, until Ctrl+C or until the model is removed. Of a key that changes
/// faster than the pipeline takes it, the newest value.
/// </summary>
[Cmdlet(VerbsCommon.Watch, "LockstepModel")]
[OutputType(typeof(ModelValue))]
public sealed class WatchLockstepModelCommand : ModelCmdlet
{
    /// <summary>Only the changes of these keys.</summary>
    [Parameter(Position = 1)]
    [SupportsWildcards]
    public string[] Key { get; set; } = [];

    /// <summary>Begins with the values that are there.</summary>
    [Parameter]
    public SwitchParameter IncludeExisting { get; set; }

    /// <summary>The values as JSON texts, not objects.</summary>
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
