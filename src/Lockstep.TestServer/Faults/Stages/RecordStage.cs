namespace Lockstep.TestServer.Faults.Stages;

/// <summary>Lets through what is not a record, and hands over records with their number, counted from 1.</summary>
internal abstract class RecordStage : Stage
{
    private int _count;

    public sealed override ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken) =>
        piece.Kind == PieceKind.Record ? RecordAsync(piece, ++_count, cancellationToken) : Next.WriteAsync(piece, cancellationToken);

    protected abstract ValueTask RecordAsync(Piece record, int number, CancellationToken cancellationToken);
}
