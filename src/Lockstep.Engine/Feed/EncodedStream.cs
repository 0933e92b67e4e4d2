using System.IO.Compression;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Decodes a body. The runtime's deflate decoders take the end of their input for the end of the data, wherever it comes: a body cut in
/// transit would pass as complete, and complete a set (I6). So the input is followed here by a mark that no decoder accepts while it
/// expects more data, and that every decoder ignores once it is done. Owns both streams; reading only.
/// </summary>
internal sealed class EncodedStream : ReadOnlyStream
{
    // Longer than the longest stored block of deflate, which accepts any byte.
    private const int MarkLength = 70_000;

    /// <summary>A last block of the reserved type.</summary>
    private const byte AfterDeflate = 0xFF;

    /// <summary>
    /// Decoders return everything they have before they ask for more, so what comes after the mark was asked for is at most their last
    /// bytes.
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

    /// <summary>The decoded stream, or null if the encoding is unknown.</summary>
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
    /// What is decoded after the mark was asked for may come from the mark: it is good only if the data then turns out to be complete.
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

    /// <summary>A stream followed by the mark.</summary>
    private sealed class MarkedStream(Stream stream) : ReadOnlyStream
    {
        private int _left = MarkLength;

        /// <summary>Whether the decoder has asked for more than there is.</summary>
        public bool HasEnded => _left < MarkLength;

        /// <summary>Whether it has consumed the whole mark, and so was not done.</summary>
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
