using System.Globalization;
using System.Text;

namespace Lockstep.TestServer.Faults.Stages;

/// <summary>Frames a body in the feed's own chunks, with a last chunk at the end (RFC 9112, section 7.1).</summary>
internal class ChunkStage : Stage
{
    private static readonly byte[] LineEnd = "\r\n"u8.ToArray();
    private static readonly byte[] LastChunk = "0\r\n\r\n"u8.ToArray();

    private readonly List<Piece> _pending = [];
    private int _length;

    public override ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken)
    {
        if (!piece.Bytes.IsEmpty)
        {
            _pending.Add(piece);
            _length += piece.Bytes.Length;
        }
        return piece.EndsChunk && KeepsBorders ? SendPendingAsync(cancellationToken) : default;
    }

    /// <summary>Whether a chunk ends where the feed ends it, not only where it pauses.</summary>
    protected virtual bool KeepsBorders => true;

    public override async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await SendPendingAsync(cancellationToken).ConfigureAwait(false);
        await base.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask EndAsync(CancellationToken cancellationToken)
    {
        await SendPendingAsync(cancellationToken).ConfigureAwait(false);
        await Next.WriteAsync(new Piece(LastChunk, PieceKind.LastChunk), cancellationToken).ConfigureAwait(false);
        await base.EndAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends pieces as chunks; <paramref name="length"/> is the sum of theirs, above 0.</summary>
    protected virtual ValueTask SendAsync(IReadOnlyList<Piece> pieces, int length, CancellationToken cancellationToken) =>
        SendChunkAsync(pieces, length, cancellationToken);

    protected async ValueTask SendChunkAsync(IReadOnlyList<Piece> pieces, int length, CancellationToken cancellationToken)
    {
        await SendHeaderAsync(length, cancellationToken).ConfigureAwait(false);
        foreach (var piece in pieces)
            await Next.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        await Next.WriteAsync(new Piece(LineEnd, PieceKind.ChunkEnd), cancellationToken).ConfigureAwait(false);
    }

    protected ValueTask SendHeaderAsync(long length, CancellationToken cancellationToken) =>
        Next.WriteAsync(
            new Piece(Encoding.ASCII.GetBytes(length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"), PieceKind.ChunkHeader),
            cancellationToken
        );

    private async ValueTask SendPendingAsync(CancellationToken cancellationToken)
    {
        if (_length == 0)
            return;
        Piece[] pieces = [.. _pending];
        var length = _length;
        _pending.Clear();
        _length = 0;
        await SendAsync(pieces, length, cancellationToken).ConfigureAwait(false);
    }
}
