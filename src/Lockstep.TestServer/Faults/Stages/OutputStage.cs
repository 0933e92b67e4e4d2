using System.Buffers;
using System.IO.Pipelines;
using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Connections;

namespace Lockstep.TestServer.Faults.Stages;

/// <summary>The last stage: the connection.</summary>
internal sealed class OutputStage(PipeWriter output, TestRequest log) : Stage
{
    private const int FlushAt = 64 * 1024;

    private int _pending;

    public override ValueTask BeginAsync(CancellationToken cancellationToken) => default;

    public override ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken)
    {
        output.Write(piece.Bytes.Span);
        _pending += piece.Bytes.Length;
        if (piece.IsBody)
            log.Sent(piece.Bytes.Length, piece.Records);
        return _pending < FlushAt ? default : FlushAsync(cancellationToken);
    }

    public override async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        _pending = 0;
        if ((await output.FlushAsync(cancellationToken).ConfigureAwait(false)).IsCompleted)
            throw new ConnectionAbortedException();
    }

    public override ValueTask EndAsync(CancellationToken cancellationToken) => FlushAsync(cancellationToken);
}
