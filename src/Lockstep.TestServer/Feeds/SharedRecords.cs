using System.Buffers;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Feeds;

/// <summary>A scripted feed's records, as all of its live clients get them.</summary>
internal sealed class SharedRecords(ScriptedFeedOptions options, RecordLog log, FeedSignals signals) : ISharedStream
{
    private const int MostRecords = 4096;
    private const int MostKept = 256 * 1024;
    private readonly FeedRecord[] _batch = new FeedRecord[MostRecords];
    private ArrayBufferWriter<byte> _framed = new();

    public int Count => log.Count;

    public SharedPiece Read(int from, int end)
    {
        var count = log.Read(from, _batch.AsSpan(0, Math.Min(end - from, MostRecords)));
        ReadOnlySpan<FeedRecord> records = _batch.AsSpan(0, count);
        var control = options.Dialect == ScriptedDialect.Transaction ? signals.Control(ControlLine.Heartbeat) : [];
        var payload = 0;
        foreach (var record in records)
            payload += record.Bytes.Length;
        var chunkEach = options.ChunksEachRecord;
        if (_framed.Capacity > MostKept)
            _framed = new();
        _framed.ResetWrittenCount();
        var framed = _framed;
        if (!chunkEach)
            ChunkFraming.Begin(framed, payload);
        foreach (var record in records)
        {
            if (chunkEach)
                ChunkFraming.Begin(framed, record.Bytes.Length);
            framed.Write(record.Bytes.Span);
            if (chunkEach)
                ChunkFraming.End(framed);
        }
        if (!chunkEach)
            ChunkFraming.End(framed);
        if (control.Length > 0)
            ChunkFraming.Write(framed, control);
        return new SharedPiece(framed.WrittenMemory, payload + control.Length, count);
    }

    public bool HasAsked(AskedHeartbeats asked) => signals.Asks.Has(asked);

    public byte[]? Asked(AskedHeartbeats asked, int position) => signals.Asked(asked);

    public Task<byte[]?> NextAsync(int position, AskedHeartbeats asked, CancellationToken cancellationToken) =>
        signals.NextAsync(position, asked, cancellationToken);
}
