using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Buffers rows between a query and a possibly slow client: a little in memory, the rest in a private file, so that the query's transaction
/// ends whatever the client does. One writer and one reader, each on its own thread.
/// </summary>
/// <param name="share">The disk space that this client may use; owned by the caller.</param>
internal sealed class RowSpill(SendShare share) : IDisposable
{
    private const int LengthBytes = sizeof(int);
    private readonly Lock _gate = new();
    private readonly Queue<ReadOnlyMemory<byte>> _memory = [];
    private readonly Signal _changed = new();
    private FileStream? _file;
    private long _inMemory;
    private long _written;
    private long _read;
    private bool _isComplete;
    private Exception? _error;

    /// <summary>Whether it holds a file.</summary>
    public bool HasFile => _file is not null;

    /// <summary>Appends a piece of whole lines; waits only for disk space.</summary>
    /// <exception cref="FeedUnavailableException">There is no space, and none was freed in time.</exception>
    public async Task WriteAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            // The file's contents come after what is in memory.
            if (_file is null && (_inMemory == 0 || _inMemory + piece.Length <= PageSize.Bytes))
            {
                _memory.Enqueue(piece);
                _inMemory += piece.Length;
                _changed.Raise();
                return;
            }
        }

        await share.TakeAsync(LengthBytes + piece.Length, cancellationToken).ConfigureAwait(false);
        _file ??= Open();
        var length = new byte[LengthBytes];
        BinaryPrimitives.WriteInt32LittleEndian(length, piece.Length);
        await RandomAccess.WriteAsync(_file.SafeFileHandle, [length, piece], _written, cancellationToken).ConfigureAwait(false);
        lock (_gate)
        {
            _written += LengthBytes + piece.Length;
            _changed.Raise();
        }
    }

    /// <summary>Ends the rows, with the error if there was one.</summary>
    public void Complete(Exception? error = null)
    {
        lock (_gate)
        {
            (_isComplete, _error) = (true, error);
            _changed.Raise();
        }
    }

    /// <summary>The pieces, in order; throws the error with which the writer ended.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            ReadOnlyMemory<byte>? piece = null;
            bool isInFile;
            lock (_gate)
            {
                changed = _changed.Next;
                if (_memory.TryDequeue(out var next))
                {
                    piece = next;
                    _inMemory -= next.Length;
                }

                isInFile = piece is null && _read < _written;
                if (piece is null && !isInFile && _isComplete)
                {
                    if (_error is not null)
                        throw _error;
                    yield break;
                }
            }

            share.Progress();
            if (isInFile)
                piece = await ReadFileAsync(cancellationToken).ConfigureAwait(false);
            if (piece is { } there)
                yield return there;
            else
                await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Deletes the file. Writer and reader must have ended.</summary>
    public void Dispose() => _file?.Dispose();

    private async Task<ReadOnlyMemory<byte>> ReadFileAsync(CancellationToken cancellationToken)
    {
        var length = new byte[LengthBytes];
        await FillAsync(length, _read, cancellationToken).ConfigureAwait(false);
        var piece = new byte[BinaryPrimitives.ReadInt32LittleEndian(length)];
        await FillAsync(piece, _read + LengthBytes, cancellationToken).ConfigureAwait(false);
        lock (_gate)
            _read += LengthBytes + piece.Length;
        share.Give(LengthBytes + piece.Length);
        return piece;
    }

    private async Task FillAsync(Memory<byte> into, long at, CancellationToken cancellationToken)
    {
        while (!into.IsEmpty)
        {
            var read = await RandomAccess.ReadAsync(_file!.SafeFileHandle, into, at, cancellationToken).ConfigureAwait(false);
            if (read == 0)
                throw new EndOfStreamException("The file with a client's rows was cut off.");
            (into, at) = (into[read..], at + read);
        }
    }

    /// <summary>A new file that vanishes when it is closed, even if the process crashes.</summary>
    private static FileStream Open()
    {
        var path = Path.Combine(Path.GetTempPath(), $"lockstep-{Guid.NewGuid():N}.spill");
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 0,
        };
        if (OperatingSystem.IsWindows())
        {
            options.Options = FileOptions.DeleteOnClose;
            return new FileStream(path, options);
        }

        // Even for the moment in which it has a name, only this user may open it.
        options.UnixCreateMode = UnixFile.Private;
        var file = new FileStream(path, options);
        File.Delete(path);
        return file;
    }
}
