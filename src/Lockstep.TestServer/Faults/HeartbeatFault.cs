using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Faults;

/// <summary>Inserts heartbeats between records.</summary>
[Description("Inserts heartbeats between records.")]
public sealed class HeartbeatFault : Fault
{
    /// <summary>What they look like.</summary>
    [Description("What they look like. Default: BlankLine.")]
    public HeartbeatShape Shape { get; init; }

    /// <summary>After how many records each time.</summary>
    [Description("After how many records each time. Default: 1.")]
    public int Every { get; init; } = 1;

    /// <summary>How many at once.</summary>
    [Description("How many at once. Default: 1.")]
    public int Count { get; init; } = 1;

    internal override string Describe() => $"Send {Count} heartbeats ({Shape}) after every {Every} records";

    internal override void Apply(FaultedResponse response) => response.AddToRecords(new Beat(this, response.Time));

    internal override void Validate()
    {
        base.Validate();
        Positive(Every, nameof(Every));
        Positive(Count, nameof(Count));
    }

    private byte[] Bytes(DateTimeOffset now) =>
        Shape switch
        {
            HeartbeatShape.BlankLine => "\n"u8.ToArray(),
            HeartbeatShape.CrLf => "\r\n"u8.ToArray(),
            HeartbeatShape.Spaces => "   "u8.ToArray(),
            HeartbeatShape.Object => "{\"heartbeat\":true}\n"u8.ToArray(),
            HeartbeatShape.BareObject => "{\"heartbeat\":true}"u8.ToArray(),
            _ => ControlLine.Make(ControlLine.Heartbeat, now, default, "\n"u8),
        };

    private sealed class Beat(HeartbeatFault fault, TimeProvider time) : RecordStage
    {
        protected override async ValueTask RecordAsync(Piece record, int number, CancellationToken cancellationToken)
        {
            await Next.WriteAsync(record, cancellationToken).ConfigureAwait(false);
            for (var i = 0; number % fault.Every == 0 && i < fault.Count; i++)
            {
                await Next.WriteAsync(new Piece(fault.Bytes(time.GetUtcNow()), PieceKind.Other, EndsChunk: true), cancellationToken)
                    .ConfigureAwait(false);
            }
        }
    }
}

/// <summary>What an inserted heartbeat looks like.</summary>
public enum HeartbeatShape
{
    /// <summary>A line feed.</summary>
    BlankLine,

    /// <summary>A carriage return and a line feed.</summary>
    CrLf,

    /// <summary>Spaces without a line end.</summary>
    Spaces,

    /// <summary><c>{"heartbeat":true}</c> and a line feed.</summary>
    Object,

    /// <summary><c>{"heartbeat":true}</c> with nothing after it.</summary>
    BareObject,

    /// <summary>A control row without <c>since</c>.</summary>
    ControlRow,
}
