using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Feeds;

/// <summary>A body that passes through the stages of faults.</summary>
internal sealed class FaultedBody(FaultedResponse response) : FeedBody
{
    private readonly List<Piece> _pending = [];

    public override void Write(ReadOnlySpan<byte> payload, int records = 0) =>
        _pending.Add(new Piece(payload.ToArray(), records > 0 ? PieceKind.Record : PieceKind.Other, records));

    public override void Write(ReadOnlySpan<FeedRecord> records)
    {
        foreach (var record in records)
            _pending.Add(new Piece(record.Bytes, PieceKind.Record, 1));
    }

    public override async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        Piece[] pieces = [.. _pending];
        _pending.Clear();
        foreach (var piece in pieces)
            await response.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        await response.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
