using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Falls silent in the middle of a response, with the connection open.</summary>
[Description("Falls silent in the middle of a response, with the connection open.")]
public sealed class StallFault : PositionedFault
{
    /// <summary>How long, by the server's clock. Null: until the client goes away.</summary>
    [Description("How long. Default: until the client goes away.")]
    public TimeSpan? Duration { get; init; }

    internal override string Describe() =>
        $"Fall silent {(Duration is { } time ? $"for {time.TotalSeconds:0.###} s" : "for good")} {Position}";

    internal override void Apply(FaultedResponse response) => response.AddToWire(new Stall(this, response.Time));

    internal override void Validate()
    {
        base.Validate();
        NotNegative(Duration, nameof(Duration));
    }

    private sealed class Stall(StallFault fault, TimeProvider time) : PositionedStage(fault.Position)
    {
        protected override async ValueTask ActAsync(CancellationToken cancellationToken)
        {
            await Next.FlushAsync(cancellationToken).ConfigureAwait(false);
            await Task.Delay(fault.Duration ?? Timeout.InfiniteTimeSpan, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
