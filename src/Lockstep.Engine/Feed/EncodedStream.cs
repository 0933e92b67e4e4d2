using System.IO.Compression;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Decodes a body. The runtime's decoders of deflate take the end of their input for the end of the data, wherever it comes: a body cut
/// before it was sent would pass for a whole one, and complete a set (I6). So what follows the input here is something that no decoder
/// takes while it waits for more, and that each passes over once it is done. Owns both streams; reading only.
/// </summary>
internal sealed class EncodedStream : ReadOnlyStream
{
    // Longer than the longest stored block of deflate, which takes any byte.
    private const int MarkLength = 70_000;

    /// <summary>A last block of the type that is reserved.</summary>
    private const byte AfterDeflate = 0xFF;

    /// <summary>
    /// Decoders hand out all that they have before they ask for more; what comes after the mark was asked for is at most their last bytes.
    /// </summary>
    private const int MostHeld = 1024 * 1024;

    private readonly MarkedStream _source;
    private readonly Stream _decoder;
    private MemoryStream? _held;

    private EncodedStream(MarkedStream source, Func<Stream, Stream> decode)
    {
        _source = source;
        _decoder = decode(source);
    }

    /// <summary>The decoded stream, or null when the encoding is not known.</summary>
    public static Stream? Open(Stream encoded, string encoding) =>
        encoding.ToUpperInvariant() switch
        {
            "GZIP" or "X-GZIP" => new EncodedStream(new MarkedStream(encoded), static s => new GZipStream(s, CompressionMode.Decompress)),
            "DEFLATE" => new EncodedStream(new MarkedStream(encoded), static s => new ZLibStream(s, CompressionMode.Decompress)),
            "BR" => new BrotliBody(encoded),
            "IDENTITY" or "" => encoded,
            _ => null,
        };

    /// <exception cref="InvalidDataException">The data is wrong, or ends too early.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_held is null)
        {
            var count = await _decoder.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (!_source.HasEnded)
                return count;
            await HoldRestAsync(buffer[..count], cancellationToken).ConfigureAwait(false);
        }

        return _held!.Read(buffer.Span);
    }

    /// <summary>
    /// What is decoded once the mark was asked for may be made of the mark: it is good only if the data then turns out to be whole.
    /// </summary>
    private async Task HoldRestAsync(ReadOnlyMemory<byte> first, CancellationToken cancellationToken)
    {
        var held = new MemoryStream();
        held.Write(first.Span);
        var rest = new byte[16 * 1024];
        while (await _decoder.ReadAsync(rest, cancellationToken).ConfigureAwait(false) is var count and > 0 && held.Length < MostHeld)
            held.Write(rest, 0, count);
        if (_source.IsUsedUp || held.Length >= MostHeld)
            throw new InvalidDataException("The compressed data ends too early.");
        held.Position = 0;
        _held = held;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _decoder.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>A stream with the mark behind its end.</summary>
    private sealed class MarkedStream(Stream stream) : ReadOnlyStream
    {
        private int _left = MarkLength;

        /// <summary>Whether the decoder has asked for more than there is.</summary>
        public bool HasEnded => _left < MarkLength;

        /// <summary>Whether it has taken all of the mark, and so was not done.</summary>
        public bool IsUsedUp => _left == 0;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = _left == MarkLength ? await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) : 0;
            if (count > 0 || buffer.Length == 0)
                return count;
            count = Math.Min(_left, buffer.Length);
            buffer.Span[..count].Fill(AfterDeflate);
            _left -= count;
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                stream.Dispose();
            base.Dispose(disposing);
        }
    }
}
