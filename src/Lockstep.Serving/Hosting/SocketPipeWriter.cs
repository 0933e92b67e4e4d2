using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Writes to a socket without a queue: when a flush completes, the system has every byte. So a connection can be cut after an exact byte,
/// and the socket can be lent to a writer that serves many at once. One writer at a time; memory is held only between the first byte and
/// the flush.
/// </summary>
internal sealed class SocketPipeWriter(Socket socket) : PipeWriter
{
    private const int SmallestBuffer = 4096;

    private byte[] _buffer = [];
    private int _count;
    private volatile bool _closed;
    private volatile bool _isFlushing;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _count;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        MakeRoom(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_count);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _buffer.Length - _count);
        _count += bytes;
    }

    /// <summary>Waits until the system has everything; a client that has gone makes the result complete.</summary>
    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        _isFlushing = true;
        try
        {
            for (var sent = 0; sent < _count && !_closed; )
            {
                sent += await socket
                    .SendAsync(_buffer.AsMemory(sent, _count - sent), SocketFlags.None, cancellationToken)
                    .ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            _closed = true;
        }
        finally
        {
            Release();
            _isFlushing = false;
        }
        return new FlushResult(isCanceled: false, isCompleted: _closed);
    }

    /// <summary>Does nothing: to abandon a connection, close its socket, which ends a flush.</summary>
    public override void CancelPendingFlush() { }

    /// <summary>
    /// What the system has not taken yet stays with the flush: if it were returned to the pool, another client could get its memory.
    /// </summary>
    public override void Complete(Exception? exception = null)
    {
        if (_isFlushing)
            _closed = true;
        else
            Release();
    }

    private void MakeRoom(int size)
    {
        if (_buffer.Length - _count >= size)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Math.Max(SmallestBuffer, _count + size), _count * 2));
        _buffer.AsSpan(0, _count).CopyTo(larger);
        Return();
        _buffer = larger;
    }

    private void Release()
    {
        Return();
        _buffer = [];
        _count = 0;
    }

    private void Return()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
    }
}
