using System.Buffers;
using System.IO.Pipelines;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Compresses what is written to a response. Each flush sends everything, so nothing the client should have now stays in the compressor.
/// One writer at a time.
/// </summary>
internal sealed class CompressedPipeWriter : PipeWriter, IDisposable
{
    private readonly ArrayBufferWriter<byte> _plain = new();
    private readonly MemoryStream _packed = new();
    private readonly PipeWriter _output;
    private readonly Stream _compressor;

    public CompressedPipeWriter(PipeWriter output, ContentCodings.Coding coding)
    {
        _output = output;
        _compressor = coding.Compress(_packed);
    }

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _plain.WrittenCount;

    public override Memory<byte> GetMemory(int sizeHint = 0) => _plain.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _plain.GetSpan(sizeHint);

    public override void Advance(int bytes) => _plain.Advance(bytes);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_plain.WrittenCount > 0)
        {
            _compressor.Write(_plain.WrittenSpan);
            _compressor.Flush();
            _plain.ResetWrittenCount();
            _output.Write(_packed.GetBuffer().AsSpan(0, (int)_packed.Length));
            _packed.SetLength(0);
        }

        return _output.FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush() => _output.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => Dispose();

    /// <summary>Discards the end of the compressed body: one that is cut off must not be mistaken for a complete one (I6).</summary>
    public void Dispose()
    {
        _compressor.Dispose();
        _packed.Dispose();
    }
}
