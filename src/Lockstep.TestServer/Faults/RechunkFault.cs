using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Moves the borders of the chunks of a chunked body.</summary>
[Description("Moves the borders of the chunks: chunks of any size, or everything in one.")]
public sealed class RechunkFault : Fault
{
    // More than any test sends; an endless body never reaches its end.
    private const long NeverReached = 1L << 40;

    /// <summary>
    /// The payload of each chunk in bytes; the last before a pause of the feed may be shorter. 0: the whole body is one chunk (of an
    /// endless feed, one that never ends).
    /// </summary>
    [Description("The payload of each chunk in bytes; 0 puts the whole body in one chunk. Default: 1.")]
    public int Size { get; init; } = 1;

    internal override string Describe() => Size == 0 ? "Send the body as one chunk" : $"Send the body in chunks of {Size} bytes";

    internal override void Apply(FaultedResponse response)
    {
        response.DropLength();
        response.Framing = Size == 0 ? new OneChunk(response) : new FixedChunks(Size);
    }

    internal override void Validate()
    {
        base.Validate();
        if (Size < 0)
            throw new ArgumentException($"Size must not be negative, but is {Size}.");
    }

    private sealed class FixedChunks(int size) : ChunkStage
    {
        protected override bool KeepsBorders => false;

        protected override async ValueTask SendAsync(IReadOnlyList<Piece> pieces, int length, CancellationToken cancellationToken)
        {
            List<Piece> chunk = [];
            var filled = 0;
            foreach (var whole in pieces)
            {
                for (var piece = whole; !piece.Bytes.IsEmpty; )
                {
                    var take = Math.Min(size - filled, piece.Bytes.Length);
                    chunk.Add(take == piece.Bytes.Length ? piece : piece.Head(take));
                    piece = piece.Tail(take);
                    filled += take;
                    if (filled < size)
                        continue;
                    await SendChunkAsync(chunk, filled, cancellationToken).ConfigureAwait(false);
                    chunk.Clear();
                    filled = 0;
                }
            }
            if (filled > 0)
                await SendChunkAsync(chunk, filled, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A finite body is held until its length is known; an endless one is announced as longer than it will ever be.</summary>
    private sealed class OneChunk(FaultedResponse response) : ChunkStage
    {
        private bool _begun;

        protected override bool KeepsBorders => false;

        public override ValueTask FlushAsync(CancellationToken cancellationToken) =>
            response.IsFinite ? default : base.FlushAsync(cancellationToken);

        protected override async ValueTask SendAsync(IReadOnlyList<Piece> pieces, int length, CancellationToken cancellationToken)
        {
            if (response.IsFinite)
            {
                await SendChunkAsync(pieces, length, cancellationToken).ConfigureAwait(false);
                return;
            }
            if (!_begun)
                await SendHeaderAsync(NeverReached, cancellationToken).ConfigureAwait(false);
            _begun = true;
            foreach (var piece in pieces)
                await Next.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        }
    }
}
