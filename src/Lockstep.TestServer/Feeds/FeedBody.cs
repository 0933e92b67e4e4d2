using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using Lockstep.TestServer.Hosting;
using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// The body of one response. A chunked one is framed here and written below Kestrel, so that each call is exactly one chunk and many of them can go out in one send;
/// Kestrel writes the head and, when the handler ends, the last chunk.
/// </summary>
internal sealed class FeedBody
{
    private readonly PipeWriter _output;
    private readonly bool _framed;
    private readonly TestRequest _log;

    private FeedBody(PipeWriter output, bool framed, TestRequest log)
    {
        _output = output;
        _framed = framed;
        _log = log;
    }

    /// <summary>Sends the head of the response.</summary>
    /// <param name="context">A response that has not started.</param>
    /// <param name="log">Gets the status and counts what is written.</param>
    /// <param name="length">The Content-Length; null for a chunked body, or one that ends with the connection for a client of HTTP/1.0.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async ValueTask<FeedBody> StartAsync(HttpContext context, TestRequest log, long? length, CancellationToken cancellationToken)
    {
        context.Response.ContentLength = length;
        log.Status = context.Response.StatusCode;
        await context.Response.StartAsync(cancellationToken).ConfigureAwait(false);
        await context.Response.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false);
        bool framed = length is null && HttpProtocol.IsHttp11(context.Request.Protocol) && !HttpMethods.IsHead(context.Request.Method);
        return new FeedBody(framed ? HostedConnection.Of(context.Features).RawOutput : context.Response.BodyWriter, framed, log);
    }

    /// <summary>Adds one chunk; <see cref="FlushAsync"/> sends it.</summary>
    /// <param name="payload">Not empty, or it would end the body.</param>
    /// <param name="records">How many records it holds, for the log.</param>
    public void Write(ReadOnlySpan<byte> payload, int records = 0)
    {
        BeginChunk(payload.Length);
        _output.Write(payload);
        EndChunk();
        _log.Sent(payload.Length, records);
    }

    /// <summary>Adds one chunk that holds all of these records.</summary>
    public void Write(ReadOnlySpan<FeedRecord> records)
    {
        int length = 0;
        foreach (FeedRecord record in records)
            length += record.Bytes.Length;
        if (length == 0)
            return;
        BeginChunk(length);
        foreach (FeedRecord record in records)
            _output.Write(record.Bytes.Span);
        EndChunk();
        _log.Sent(length, records.Length);
    }

    /// <summary>Sends what was added; waits while the client is slow to take it, so that memory stays bounded (I8).</summary>
    /// <exception cref="ConnectionAbortedException">The client is gone.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        FlushResult result = await _output.FlushAsync(cancellationToken).ConfigureAwait(false);
        if (result.IsCompleted)
            throw new ConnectionAbortedException();
    }

    private void BeginChunk(int length)
    {
        if (!_framed)
            return;
        Span<byte> head = _output.GetSpan(10);
        Utf8Formatter.TryFormat(length, head, out int written, new StandardFormat('x'));
        "\r\n"u8.CopyTo(head[written..]);
        _output.Advance(written + 2);
    }

    private void EndChunk()
    {
        if (_framed)
            _output.Write("\r\n"u8);
    }
}
