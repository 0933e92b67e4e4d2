using System.ComponentModel;
using System.Text;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Replaces the line before a chunk's payload.</summary>
[Description("Replaces the size line of a chunk by something malformed.")]
public sealed class ChunkHeaderFault : Fault
{
    /// <summary>Which chunk, counted from 1.</summary>
    [Description("Which chunk, counted from 1. Default: 1.")]
    public int Chunk { get; init; } = 1;

    /// <summary>The line without its end.</summary>
    [Description("The line without its end. Default: xyz.")]
    public string Text { get; init; } = "xyz";

    internal override string Describe() => $"Replace the size of chunk {Chunk} by '{Text}'";

    internal override void Apply(FaultedResponse response)
    {
        response.DropLength();
        response.AddToWire(new Replace(this));
    }

    internal override void Validate()
    {
        base.Validate();
        Positive(Chunk, nameof(Chunk));
    }

    private sealed class Replace(ChunkHeaderFault fault) : Stage
    {
        private int _chunk;

        public override ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken) =>
            Next.WriteAsync(
                piece.Kind == PieceKind.ChunkHeader && ++_chunk == fault.Chunk
                    ? piece with
                    {
                        Bytes = Encoding.Latin1.GetBytes(fault.Text + "\r\n"),
                    }
                    : piece,
                cancellationToken
            );
    }
}
