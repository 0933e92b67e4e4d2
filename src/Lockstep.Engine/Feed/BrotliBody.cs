using System.Buffers;
using System.IO.Compression;

namespace Lockstep.Engine.Feed;

/// <summary>Decodes brotli, and detects input that ends before the data is complete (I6). Owns the stream; read-only.</summary>
internal sealed class BrotliBody(Stream encoded) : ReadOnlyStream
{
    private readonly byte[] _input = new byte[16 * 1024];
    private BrotliDecoder _decoder;
    private int _start;
    private int _end;
    private bool _isDone;

    /// <exception cref="InvalidDataException">The data is wrong, or ends too early.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        while (!_isDone)
        {
            var status = _decoder.Decompress(_input.AsSpan(_start, _end - _start), buffer.Span, out var consumed, out var written);
            _start += consumed;
            _isDone = status == OperationStatus.Done;
            if (status == OperationStatus.InvalidData)
                throw new InvalidDataException("The compressed data is wrong.");
            if (written > 0)
                return written;
            if (status != OperationStatus.NeedMoreData)
                continue;

            _input.AsSpan(_start, _end - _start).CopyTo(_input);
            (_start, _end) = (0, _end - _start);
            var count = await encoded.ReadAsync(_input.AsMemory(_end), cancellationToken).ConfigureAwait(false);
            if (count == 0)
                throw new InvalidDataException("The compressed data ends too early.");
            _end += count;
        }

        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _decoder.Dispose();
            encoded.Dispose();
        }

        base.Dispose(disposing);
    }
}
