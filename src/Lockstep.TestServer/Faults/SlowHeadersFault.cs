using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Sends the headers of a response a few bytes at a time, with a pause after each.</summary>
[Description("Sends the status line and the headers a few bytes at a time, with a pause after each.")]
public sealed class SlowHeadersFault : Fault
{
    /// <summary>How many bytes at a time.</summary>
    [Description("How many bytes at a time. Default: 1.")]
    public int Bytes { get; init; } = 1;

    /// <summary>The pause after them, by the server's clock.</summary>
    [Description("The pause after them. Default: 10 ms.")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(10);

    internal override string Describe() => $"Send the head at {Bytes} bytes every {Interval.TotalMilliseconds:0.###} ms";

    internal override void Apply(FaultedResponse response) => response.AddToWire(new SlowHead(this, response.Time));

    internal override void Validate()
    {
        base.Validate();
        Positive(Bytes, nameof(Bytes));
        NotNegative(Interval, nameof(Interval));
    }

    private sealed class SlowHead(SlowHeadersFault fault, TimeProvider time) : Stage
    {
        public override ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken) =>
            piece.Kind == PieceKind.Head
                ? DripFault.DripAsync(piece, Next, fault.Bytes, fault.Interval, time, cancellationToken)
                : base.WriteAsync(piece, cancellationToken);
    }
}
