using System.ComponentModel;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// Begins a few changes before the cursor, as servers do whose parts are not in sync; for feeds in other servers' dialects.
/// </summary>
[Description("Sends the last changes before the cursor again; for feeds in other servers' dialects.")]
public sealed class ReplayFault : Fault
{
    /// <summary>How many changes.</summary>
    [Description("How many changes come again. Default: 3.")]
    public int Changes { get; init; } = 3;

    internal override string Describe() => $"Send the {Changes} changes before the cursor again";

    internal override string? Misfit(IFeed feed) =>
        feed.HasChanges ? null : "only a feed of changes in another server's dialect sends some again";

    internal override void Apply(FaultedResponse response) =>
        response.Context.Features.Set(
            new Distortion { Replayed = Changes, Identity = response.Context.Features.Get<Distortion>()?.Identity }
        );

    internal override void Validate()
    {
        base.Validate();
        Positive(Changes, nameof(Changes));
    }
}
