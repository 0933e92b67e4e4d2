using System.Buffers;
using System.IO.Pipelines;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// Writes a feed in the record dialect, each record and each heartbeat in its own HTTP chunk: the original's client decodes one object per
/// chunk. The chunks are framed here and written below Kestrel, so that many of them go out in one send.
/// </summary>
internal sealed class RecordWriter : IFeedWriter
{
    private readonly PipeWriter _output;
    private readonly bool _isFramed;
    private readonly FeedFilter? _filter;
    private readonly IReadOnlyList<string> _key;
    private readonly IFeedSource _source;
    private readonly SendShare _share;
    private readonly bool _takesControlRows;
    private readonly ArrayBufferWriter<byte> _row = new();
    private readonly ArrayBufferWriter<byte> _filtered = new();
    private int _unsent;

    private RecordWriter(
        PipeWriter output,
        bool isFramed,
        FeedFilter? filter,
        IReadOnlyList<string> key,
        IFeedSource source,
        SendShare share,
        bool takesControlRows
    ) =>
        (_output, _isFramed, _filter, _key, _source, _share, _takesControlRows) = (
            output,
            isFramed,
            filter,
            key,
            source,
            share,
            takesControlRows
        );

    public long Bytes { get; private set; }

    public long Rows { get; private set; }

    /// <summary>Sends the response's headers; everything after them is written below Kestrel.</summary>
    public static async Task<RecordWriter> StartAsync(
        HttpContext context,
        FeedFilter? filter,
        IReadOnlyList<string> key,
        IFeedSource source,
        SendShare share,
        CancellationToken cancellationToken
    )
    {
        await context.Response.StartAsync(cancellationToken).ConfigureAwait(false);
        await FeedLineWriter.SendAsync(context.Response.BodyWriter, cancellationToken).ConfigureAwait(false);

        // HTTP/1.0 has no chunks.
        var isFramed = HttpProtocol.IsHttp11(context.Request.Protocol);
        var output = isFramed ? HostedConnection.Of(context.Features).RawOutput : context.Response.BodyWriter;
        return new RecordWriter(output, isFramed, filter, key, source, share, FeedEndpoint.AsksForControlRows(context.Request));
    }

    public async ValueTask<bool> WriteRowsAsync(FeedChunk chunk, CancellationToken cancellationToken)
    {
        var before = Rows;
        for (var lines = chunk.Lines; !lines.IsEmpty; )
        {
            cancellationToken.ThrowIfCancellationRequested();
            var end = lines.Span.IndexOf((byte)'\n');
            Write(lines.Span[..end], isNew: chunk.Kind == FeedChunkKind.SnapshotRows);
            lines = lines[(end + 1)..];
            if (_unsent >= FeedLineWriter.SliceBytes)
                await FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        return Rows > before;
    }

    /// <summary>Without control rows, the record dialect cannot mark the end of a set within a body that continues.</summary>
    public void WriteCompleted(long since)
    {
        if (_takesControlRows)
            WriteChunk("{\"control\":true,\"type\":\"snapshot_completed\"}\n"u8);
        else
            WriteHeartbeat(since);
    }

    public void WriteHeartbeat(long? since) => WriteChunk("{\"heartbeat\":true}\n"u8);

    public void WriteBlankLine() => WriteChunk("\n"u8);

    public void WritePage(string address) { }

    public void WriteMark(FeedMark mark) { }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        _unsent = 0;
        await FeedLineWriter.SendAsync(_output, cancellationToken).ConfigureAwait(false);
        _share.Progress();
    }

    private void Write(ReadOnlySpan<byte> line, bool isNew)
    {
        if (_filter is not null)
        {
            _filtered.ResetWrittenCount();
            _filter.Write(line, _key, isNew, _filtered);
            line = _filtered.WrittenSpan;
            if (line.IsEmpty)
                return;
        }

        _row.ResetWrittenCount();
        RecordLine.Write(line, _source.RecordOrderField!, _row);
        WriteChunk(_row.WrittenSpan);
        Rows++;
    }

    private void WriteChunk(ReadOnlySpan<byte> payload)
    {
        if (_isFramed)
            ChunkFraming.Begin(_output, payload.Length);
        _output.Write(payload);
        if (_isFramed)
            ChunkFraming.End(_output);
        _unsent += payload.Length;
        Bytes += payload.Length;
    }
}
