using System.IO.Compression;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Decodes a body. The runtime's decoders take the end of their input for the end of the data, wherever it comes: a body that was cut
/// before it was sent would pass for a whole one, and complete a set (I6). So what follows the input here is something that no decoder
/// takes while it waits for more, and that each passes over once it is done. Owns both streams; reading only.
/// </summary>
internal sealed class EncodedStream : ReadOnlyStream
{
    // Longer than the longest stored block of deflate, which takes any byte.
    private const int MarkLength = 70_000;

    /// <summary>A last block of the type that is reserved.</summary>
    private const byte AfterDeflate = 0xFF;

    /// <summary>A block of metadata with its reserved bit set.</summary>
    private const byte AfterBrotli = 0x0E;

    private readonly Stream _decoder;

    private EncodedStream(Stream decoder) => _decoder = decoder;

    /// <summary>The decoded stream, or null when the encoding is not known.</summary>
    public static Stream? Open(Stream encoded, string encoding) => encoding.ToUpperInvariant() switch
    {
        "GZIP" or "X-GZIP" => new EncodedStream(new GZipStream(new MarkedStream(encoded, AfterDeflate), CompressionMode.Decompress)),
        "DEFLATE" => new EncodedStream(new ZLibStream(new MarkedStream(encoded, AfterDeflate), CompressionMode.Decompress)),
        "BR" => new EncodedStream(new BrotliStream(new MarkedStream(encoded, AfterBrotli), CompressionMode.Decompress)),
        "IDENTITY" or "" => encoded,
        _ => null,
    };

    /// <exception cref="InvalidDataException">The data is wrong, or ends too early.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await _decoder.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidOperationException e)
        {
            // Brotli's way to say so.
            throw new InvalidDataException(e.Message, e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _decoder.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>A stream with the mark behind its end.</summary>
    private sealed class MarkedStream(Stream stream, byte mark) : ReadOnlyStream
    {
        private int _left = MarkLength;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count = _left == MarkLength ? await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) : 0;
            if (count > 0 || buffer.Length == 0) return count;
            count = Math.Min(_left, buffer.Length);
            buffer.Span[..count].Fill(mark);
            _left -= count;
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) stream.Dispose();
            base.Dispose(disposing);
        }
    }
}
