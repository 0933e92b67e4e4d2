using System.Net;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Recording;

/// <summary>
/// One request of a recorded conversation, and its answer. Written by whoever reads the answer, one thread at a time.
/// </summary>
internal sealed class RecordedExchange
{
    private readonly List<(double At, byte[] Bytes)> _body = [];
    private volatile bool _isClosed;

    /// <summary>What was requested: path and query, unchanged.</summary>
    public required string Request { get; init; }

    public required int Status { get; init; }

    public required Dictionary<string, string> Headers { get; init; }

    /// <summary>When the headers came, in seconds since the recording began.</summary>
    public required double Began { get; init; }

    /// <summary>The body's pieces, with the seconds since the headers.</summary>
    public IReadOnlyList<(double At, byte[] Bytes)> Body => _body;

    public RecordingEnd End { get; private set; } = RecordingEnd.Stopped;

    /// <summary>When it ended, in seconds since the headers.</summary>
    public double Ended { get; private set; }

    public void Add(double at, ReadOnlySpan<byte> bytes)
    {
        _body.Add((at, bytes.ToArray()));
        Ended = at;
    }

    public void EndsWith(RecordingEnd end, double at)
    {
        if (!_isClosed)
            (End, Ended) = (end, at);
    }

    /// <summary>The reader has enough: the server is not to blame for what its leaving causes. Any thread.</summary>
    public void Close() => _isClosed = true;
}

/// <summary>A response's content that is recorded as it is read.</summary>
/// <param name="content">The response's own; disposed with this.</param>
/// <param name="exchange">Gets what is read.</param>
/// <param name="clock">The seconds since the headers.</param>
/// <param name="noted">Gets how many bytes came.</param>
internal sealed class TappedContent(HttpContent content, RecordedExchange exchange, Func<double> clock, Action<int> noted) : HttpContent
{
    public static HttpContent Of(HttpContent content, RecordedExchange exchange, Func<double> clock, Action<int> noted)
    {
        var tapped = new TappedContent(content, exchange, clock, noted);
        foreach ((var name, var values) in content.Headers)
            tapped.Headers.TryAddWithoutValidation(name, values);
        return tapped;
    }

    protected override async Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
        new TappedStream(await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false), exchange, clock, noted);

    protected override Task<Stream> CreateContentReadStreamAsync() => CreateContentReadStreamAsync(CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        var body = await ReadAsStreamAsync().ConfigureAwait(false);
        await body.CopyToAsync(stream).ConfigureAwait(false);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            exchange.Close();
            content.Dispose();
        }
        base.Dispose(disposing);
    }

    private sealed class TappedStream(Stream body, RecordedExchange exchange, Func<double> clock, Action<int> noted) : ReadOnlyStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                var count = await body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                Note(buffer.Span[..count], isEnd: count == 0 && buffer.Length > 0);
                return count;
            }
            catch (Exception error) when (error is IOException or HttpRequestException)
            {
                exchange.EndsWith(RecordingEnd.Cut, clock());
                throw;
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                exchange.Close();
                body.Dispose();
            }
            base.Dispose(disposing);
        }

        private void Note(ReadOnlySpan<byte> bytes, bool isEnd)
        {
            if (isEnd)
                exchange.EndsWith(RecordingEnd.Completed, clock());
            else
                exchange.Add(clock(), bytes);
            noted(bytes.Length);
        }
    }
}
