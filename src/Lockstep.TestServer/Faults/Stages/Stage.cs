namespace Lockstep.TestServer.Faults.Stages;

/// <summary>
/// One stage of a response on its way to the client; it holds what a fault needs to know about that response. Called by one request at a
/// time.
/// </summary>
internal abstract class Stage
{
    /// <summary>The stage after this one; null for the last.</summary>
    public Stage Next { get; set; } = null!;

    /// <summary>Whether it may keep back what the feed has sent, so that the client sees silence before the end.</summary>
    public virtual bool MayHoldBack => true;

    /// <summary>The headers have been sent, the body begins.</summary>
    public virtual ValueTask BeginAsync(CancellationToken cancellationToken) => Next.BeginAsync(cancellationToken);

    public virtual ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken) => Next.WriteAsync(piece, cancellationToken);

    /// <summary>The feed has nothing more for now: what came so far goes to the client.</summary>
    public virtual ValueTask FlushAsync(CancellationToken cancellationToken) => Next.FlushAsync(cancellationToken);

    /// <summary>The body is complete.</summary>
    public virtual ValueTask EndAsync(CancellationToken cancellationToken) => Next.EndAsync(cancellationToken);
}

/// <summary>Passes on what is not a record, and hands over records with their number, counted from 1.</summary>
internal abstract class RecordStage : Stage
{
    private int _count;

    public sealed override ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken) =>
        piece.Kind == PieceKind.Record ? RecordAsync(piece, ++_count, cancellationToken) : Next.WriteAsync(piece, cancellationToken);

    protected abstract ValueTask RecordAsync(Piece record, int number, CancellationToken cancellationToken);
}
