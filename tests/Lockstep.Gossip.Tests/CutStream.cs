namespace Lockstep.Gossip.Tests;

/// <summary>Breaks after this many bytes in either direction, in the middle of a write or between two reads.</summary>
internal sealed class CutStream(Stream inner, int bytes) : Stream
{
    private int _left = bytes;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = Volatile.Read(ref _left) > 0 ? await inner.ReadAsync(buffer, cancellationToken) : throw new IOException("cut");
        var taken = Take(read);
        return taken > 0 || read == 0 ? taken : throw new IOException("cut");
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var taken = Take(buffer.Length);
        await inner.WriteAsync(buffer[..taken], cancellationToken);
        if (taken < buffer.Length)
        {
            throw new IOException("cut");
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <summary>How many of these bytes still pass.</summary>
    private int Take(int wanted)
    {
        var before = Interlocked.Add(ref _left, -wanted) + wanted;
        return Math.Clamp(before, 0, wanted);
    }
}
