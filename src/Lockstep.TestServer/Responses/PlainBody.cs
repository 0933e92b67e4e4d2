using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.TestServer.Responses;

/// <summary>
/// A body as it should be. A chunked one is framed here and written below Kestrel, so that each call is exactly one chunk and many of them
/// can go out in one send; Kestrel writes the head and, when the handler ends, the last chunk.
/// </summary>
internal sealed class PlainBody : ResponseBody
{
    private readonly PipeWriter _output;
    private readonly bool _framed;
    private readonly TestRequest _log;

    private PlainBody(PipeWriter output, Socket? socket, bool framed, TestRequest log)
    {
        SharedSocket = socket;
        _output = output;
        _framed = framed;
        _log = log;
    }

    public static new async ValueTask<ResponseBody> StartAsync(
        HttpContext context,
        TestRequest log,
        long? length,
        CancellationToken cancellationToken
    )
    {
        context.Response.ContentLength = length;
        log.Status = context.Response.StatusCode;
        await context.Response.StartAsync(CancellationToken.None).ConfigureAwait(false);
        await FlushByKestrelAsync(context.Response.BodyWriter, cancellationToken).ConfigureAwait(false);
        var framed = length is null && HttpProtocol.IsHttp11(context.Request.Protocol) && !HttpMethods.IsHead(context.Request.Method);
        var connection = HostedConnection.Of(context.Features);
        return new PlainBody(
            framed ? connection.RawOutput : context.Response.BodyWriter,
            framed && !connection.IsTls ? connection.Socket : null,
            framed,
            log
        );
    }

    public override Socket? SharedSocket { get; }

    public override async ValueTask SendFramedAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _output.Write(bytes.Span);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    public override void Write(ReadOnlySpan<byte> payload, int records = 0)
    {
        BeginChunk(payload.Length);
        _output.Write(payload);
        EndChunk();
        _log.Sent(payload.Length, records);
    }

    public override void Write(ReadOnlySpan<ReadOnlyMemory<byte>> records, bool chunkEach)
    {
        if (chunkEach && _framed)
        {
            foreach (var record in records)
                Write(record.Span, records: 1);
            return;
        }
        var length = 0;
        foreach (var record in records)
            length += record.Length;
        if (length == 0)
            return;
        BeginChunk(length);
        foreach (var record in records)
            _output.Write(record.Span);
        EndChunk();
        _log.Sent(length, records.Length);
    }

    public override void WriteList(IReadOnlyList<ReadOnlyMemory<byte>> items, ReadOnlyMemory<byte> separator)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                Write(separator.Span);
            Write(items[i].Span, records: 1);
        }
    }

    public override void WriteBehindList(ReadOnlySpan<byte> payload) => Write(payload);

    public override async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        var result = _framed
            ? await _output.FlushAsync(cancellationToken).ConfigureAwait(false)
            : await FlushByKestrelAsync(_output, cancellationToken).ConfigureAwait(false);
        if (result.IsCompleted)
            throw new ConnectionAbortedException();
    }

    /// <summary>
    /// Kestrel resets the connection of a write that it is told to cancel. Whoever cancels here says how the connection is to end, so
    /// Kestrel is not told: the write ends with the connection.
    /// </summary>
    private static async ValueTask<FlushResult> FlushByKestrelAsync(PipeWriter output, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return await output.FlushAsync(CancellationToken.None).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private void BeginChunk(int length)
    {
        if (_framed)
            ChunkFraming.Begin(_output, length);
    }

    private void EndChunk()
    {
        if (_framed)
            ChunkFraming.End(_output);
    }
}
