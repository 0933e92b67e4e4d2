using System.Text;

namespace Lockstep.Engine.Feed;

/// <summary>
/// A body as UTF-8, whatever its headers say: its first bytes reveal whether it is compressed, or in UTF-16 or UTF-32, with or without a
/// byte order mark; JSON never begins like any of these. Owns the stream; reading only.
/// </summary>
internal sealed class Utf8Body(Stream source) : ReadOnlyStream
{
    private const int Decisive = 4;
    private readonly byte[] _start = new byte[Decisive];
    private Stream? _body;

    /// <summary>Whether one character has been returned that may be half of a UTF-16 character.</summary>
    private bool _isHalf;

    /// <summary>Whether the bytes that come out differ from those that went in, so that offsets do not match.</summary>
    public bool IsRewritten { get; private set; }

    /// <exception cref="InvalidDataException">It is not in the encoding that it begins in.</exception>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_body is null)
            return ReadStartAsync(buffer, cancellationToken);
        return IsRewritten ? ReadRewrittenAsync(buffer, cancellationToken) : _body.ReadAsync(buffer, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _body?.Dispose();
            source.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadStartAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var count = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (count == 0)
            return 0;
        if (_isHalf)
        {
            _body = source;
            if (buffer.Span[0] != 0)
                return count;
            Rewrite(buffer[1..count].ToArray(), Encoding.Unicode);
            return await ReadRewrittenAsync(buffer, cancellationToken).ConfigureAwait(false);
        }

        if (buffer.Span[0] is not (0x1F or 0xFE or 0xFF or 0) && (count == 1 || buffer.Span[1] != 0))
        {
            // A single byte is not held back: it may be the blank line of a quiet feed.
            _isHalf = count == 1;
            _body = _isHalf ? null : source;
            return count;
        }

        var held = buffer[..count].ToArray();
        while (held.Length < Decisive && await source.ReadAsync(_start, cancellationToken).ConfigureAwait(false) is > 0 and var more)
            held = [.. held, .. _start.AsSpan(0, more)];
        if (held is [0x1F, 0x8B, ..])
        {
            IsRewritten = true;
            _body = EncodedStream.Open(new Rest(held, source), "gzip");
        }
        else if (EncodingOf(held) is { } encoding)
        {
            Rewrite(held, encoding);
        }
        else
        {
            _body = new Rest(held, source);
            return await _body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }

        return await ReadRewrittenAsync(buffer, cancellationToken).ConfigureAwait(false);
    }

    private void Rewrite(byte[] held, Encoding encoding)
    {
        IsRewritten = true;
        // Bytes that are invalid in their own encoding must not become text that was never sent.
        var strict = (Encoding)encoding.Clone();
        strict.DecoderFallback = DecoderFallback.ExceptionFallback;
        _body = Encoding.CreateTranscodingStream(new Rest(held, source), strict, new UTF8Encoding(false));
    }

    private async ValueTask<int> ReadRewrittenAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _body!.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException("The body is not in the encoding that it starts with.", e);
        }
    }

    private static Encoding? EncodingOf(ReadOnlySpan<byte> start) =>
        start switch
        {
            [0xFF, 0xFE, 0, 0, ..] or [not 0, 0, 0, 0, ..] => Encoding.UTF32,
            [0, 0, 0xFE, 0xFF, ..] or [0, 0, 0, not 0, ..] => new UTF32Encoding(bigEndian: true, byteOrderMark: true),
            [0xFF, 0xFE, ..] or [not 0, 0, ..] => Encoding.Unicode,
            [0xFE, 0xFF, ..] or [0, not 0, ..] => Encoding.BigEndianUnicode,
            _ => null,
        };

    /// <summary>What has been read of a stream, and then the stream.</summary>
    private sealed class Rest(byte[] held, Stream source) : ReadOnlyStream
    {
        private int _taken;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = Math.Min(buffer.Length, held.Length - _taken);
            if (count == 0)
                return source.ReadAsync(buffer, cancellationToken);
            held.AsMemory(_taken, count).CopyTo(buffer);
            _taken += count;
            return new ValueTask<int>(count);
        }
    }
}
