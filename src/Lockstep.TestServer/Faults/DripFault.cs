using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>From a position on, sends a few bytes at a time, each as a segment of its own, with a pause after each.</summary>
[Description("Sends a few bytes at a time, with a pause after each.")]
public sealed class DripFault : PositionedFault
{
    /// <summary>How many bytes at a time; framing counts.</summary>
    [Description("How many bytes at a time. Default: 32, which with the default pause is about 3 kB/s.")]
    public int Bytes { get; init; } = 32;

    /// <summary>The pause after them, by the server's clock.</summary>
    [Description("The pause after them. Default: 10 ms.")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(10);

    internal override string Describe() =>
        $"Send {Bytes} bytes every {Interval.TotalMilliseconds:0.###} ms from the position {Position} on";

    internal override void Apply(FaultedResponse response) => response.AddToWire(new Drip(this, response.Time));

    internal override void Validate()
    {
        base.Validate();
        Positive(Bytes, nameof(Bytes));
        NotNegative(Interval, nameof(Interval));
    }

    private sealed class Drip(DripFault fault, TimeProvider time) : PositionedStage(fault.Position)
    {
        protected override ValueTask ActAsync(CancellationToken cancellationToken) => default;

        protected override ValueTask WriteBehindAsync(Piece piece, CancellationToken cancellationToken) =>
            DripAsync(piece, Next, fault.Bytes, fault.Interval, time, cancellationToken);
    }

    /// <summary>Sends one piece like that.</summary>
    internal static async ValueTask DripAsync(
        Piece piece,
        Stage next,
        int bytes,
        TimeSpan interval,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        while (!piece.Bytes.IsEmpty)
        {
            var last = piece.Bytes.Length <= bytes;
            await next.WriteAsync(last ? piece : piece.Head(bytes), cancellationToken).ConfigureAwait(false);
            await next.FlushAsync(cancellationToken).ConfigureAwait(false);
            await Task.Delay(interval, time, cancellationToken).ConfigureAwait(false);
            piece = piece.Tail(last ? piece.Bytes.Length : bytes);
        }
    }
}
