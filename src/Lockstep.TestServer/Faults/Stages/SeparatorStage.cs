namespace Lockstep.TestServer.Faults.Stages;

/// <summary>
/// Inserts the separators between the records of a list, and the end after the last, once other faults have changed the number or the order
/// of the records.
/// </summary>
internal sealed class SeparatorStage : Stage
{
    private Piece? _tail;
    private bool _hasRecords;

    /// <summary>Empty where records stand one by one.</summary>
    public ReadOnlyMemory<byte> Separator { get; set; }

    public override async ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken)
    {
        if (piece.Kind == PieceKind.Tail)
        {
            _tail = piece;
            return;
        }
        if (piece.Kind == PieceKind.Record && _hasRecords && !Separator.IsEmpty)
            await Next.WriteAsync(new Piece(Separator, PieceKind.Other), cancellationToken).ConfigureAwait(false);
        _hasRecords |= piece.Kind == PieceKind.Record;
        await Next.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask EndAsync(CancellationToken cancellationToken)
    {
        if (_tail is { } tail)
            await Next.WriteAsync(tail, cancellationToken).ConfigureAwait(false);
        await base.EndAsync(cancellationToken).ConfigureAwait(false);
    }
}
