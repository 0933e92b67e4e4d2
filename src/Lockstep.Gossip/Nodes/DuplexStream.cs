namespace Lockstep.Gossip.Nodes;

/// <summary>
/// Two one-way streams as one duplex stream, such as a process's standard input and output. One reader and one writer at a time.
/// </summary>
/// <param name="input">Read from.</param>
/// <param name="output">Written to.</param>
/// <param name="leaveOpen">Whether the two stay open when this is disposed.</param>
public sealed class DuplexStream(Stream input, Stream output, bool leaveOpen = false) : Stream
{
    private bool _disposed;

    /// <summary>
    /// Tells the other side that nothing more will be written, while it may still be read from; null if that is not possible.
    /// </summary>
    internal Func<CancellationToken, Task>? EndWriting { get; init; }

    /// <summary>
    /// If the underlying stream sends each write as one message, returns a stream that collects pieces of a message and sends it when
    /// disposed.
    /// </summary>
    internal Func<Stream>? BeginMessage { get; init; }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>This process's standard input and output.</summary>
    public static DuplexStream StandardInputAndOutput() => new(Console.OpenStandardInput(), Console.OpenStandardOutput());

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => input.Read(buffer, offset, count);

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        input.ReadAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => output.Write(buffer, offset, count);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        output.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override void Flush() => output.Flush();

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => output.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (!leaveOpen && !_disposed)
        {
            _disposed = true;
            await input.DisposeAsync().ConfigureAwait(false);
            await output.DisposeAsync().ConfigureAwait(false);
        }

        await base.DisposeAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !leaveOpen && !_disposed)
        {
            _disposed = true;
            input.Dispose();
            output.Dispose();
        }

        base.Dispose(disposing);
    }
}
