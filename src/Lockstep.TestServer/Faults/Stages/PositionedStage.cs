namespace Lockstep.TestServer.Faults.Stages;

/// <summary>Passes a response on up to a position, acts there once, and continues.</summary>
internal abstract class PositionedStage(Position at) : Stage
{
    private long _passed;
    private bool _reached;

    public override async ValueTask BeginAsync(CancellationToken cancellationToken)
    {
        await base.BeginAsync(cancellationToken).ConfigureAwait(false);
        if (at.IsBodyStart)
            await ReachAsync(cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken)
    {
        if (!_reached && at is { Of: ByteCount.Response, Byte: 0 })
            await ReachAsync(cancellationToken).ConfigureAwait(false);
        if (!_reached && at.End && piece.Kind == PieceKind.LastChunk)
            await ReachAsync(cancellationToken).ConfigureAwait(false);
        if (_reached)
        {
            await WriteBehindAsync(piece, cancellationToken).ConfigureAwait(false);
            return;
        }
        var length = at.Byte is { } target && Counts(piece) ? (int)Math.Min(piece.Bytes.Length, target - _passed) : piece.Bytes.Length;
        if (at.Byte is not null && Counts(piece))
            _passed += length;
        else if (at.Record is not null)
            _passed += piece.Records;
        if (length == piece.Bytes.Length)
            await Next.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        else if (length > 0)
            await Next.WriteAsync(piece.Head(length), cancellationToken).ConfigureAwait(false);
        if (_passed == 0 || _passed < (at.Byte ?? at.Record))
            return;
        await ReachAsync(cancellationToken).ConfigureAwait(false);
        if (length < piece.Bytes.Length)
            await WriteBehindAsync(piece.Tail(length), cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask EndAsync(CancellationToken cancellationToken)
    {
        if (!_reached && at.End)
            await ReachAsync(cancellationToken).ConfigureAwait(false);
        await base.EndAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Everything before the position was passed on, but perhaps not flushed.</summary>
    protected abstract ValueTask ActAsync(CancellationToken cancellationToken);

    /// <summary>What comes after the position.</summary>
    protected virtual ValueTask WriteBehindAsync(Piece piece, CancellationToken cancellationToken) =>
        Next.WriteAsync(piece, cancellationToken);

    private bool Counts(Piece piece) => at.Of == ByteCount.Response || piece.IsBody;

    private ValueTask ReachAsync(CancellationToken cancellationToken)
    {
        if (_reached)
            return default;
        _reached = true;
        return ActAsync(cancellationToken);
    }
}
