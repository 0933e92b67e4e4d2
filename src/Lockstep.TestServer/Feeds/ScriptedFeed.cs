using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// Serves the records that a test supplies: those that exist from the cursor on and, if it is endless, each one that is added.
/// </summary>
internal sealed class ScriptedFeed : IRecordFeed
{
    public const string SnapshotPath = "/_lockstep/snapshot/";
    private const int BatchSize = 256;

    private readonly ScriptedFeedOptions _options;
    private readonly RecordMaker _maker;
    private readonly FeedSignals _signals;
    private readonly FanOut _fanOut;
    private readonly Pulse _delivered;

    /// <param name="options">How it behaves.</param>
    /// <param name="time">For its heartbeats.</param>
    /// <param name="delivered">Raised when records have gone out to live clients.</param>
    public ScriptedFeed(ScriptedFeedOptions options, TimeProvider time, Pulse delivered)
    {
        _options = options;
        _delivered = delivered;
        _maker = new RecordMaker(options);
        _signals = new FeedSignals(options, Log, time);
        _fanOut = new FanOut(new SharedRecords(options, Log, _signals), delivered);
        Path = "/" + options.Path.Trim('/') + "/";
        if (Path == "//")
            Path = "/";
    }

    public string Path { get; }

    public string OrderField => _options.OrderField;

    public int RecordCount => Log.Count;

    public RecordLog Log { get; } = new();

    private bool IsTransactional => _options.Dialect == ScriptedDialect.Transaction;

    public void Add(IEnumerable<ReadOnlyMemory<byte>> records, bool removes)
    {
        if (removes)
            throw new InvalidOperationException("In the Scripted feed a record itself says that it is deleted: give it a deleted_at.");
        Log.Append(records, _maker);
    }

    public IReadOnlyList<ReadOnlyMemory<byte>> Latest(int count)
    {
        var latest = new FeedRecord[Math.Clamp(count, 0, Log.Count)];
        Log.Read(Log.Count - latest.Length, latest);
        return [.. latest.Reverse().Select(record => record.Bytes)];
    }

    public void SendHeartbeat(HeartbeatKind kind, long requests) => _signals.Asks.Add(kind, requests);

    public async Task ServeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        AddHeaders(context.Response.Headers);
        if (SnapshotSize(context.Request.Path) is { } size)
        {
            await SendFiniteAsync(context, log, new RecordRange(0, size, default, IsWhole: true), cancellationToken).ConfigureAwait(false);
        }
        else if (!RequestCursor.TryRead(context.Request, Path, out var cursor))
        {
            await Refusal
                .SendAsync(context, log, StatusCodes.Status404NotFound, $"The feed is at {Path}", cancellationToken)
                .ConfigureAwait(false);
        }
        else if (IsOfAnotherFeed(context.Request))
        {
            await Refusal
                .SendAsync(
                    context,
                    log,
                    StatusCodes.Status409Conflict,
                    "This is not the feed that issued the cursor. Start over with cursor 0.",
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        else if (Log.Select(cursor) is not { } range)
        {
            await Refusal
                .SendAsync(
                    context,
                    log,
                    StatusCodes.Status410Gone,
                    "This cursor is not known here. Start over with cursor 0.",
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        else
        {
            await SendAsync(context, log, range, cancellationToken).ConfigureAwait(false);
        }
    }

    private Task SendAsync(HttpContext context, TestRequest log, RecordRange range, CancellationToken cancellationToken)
    {
        if (range.IsWhole && _options.RedirectToSnapshot && context.Request.Query["update"] != "true")
        {
            RedirectToSnapshot(context, range.End);
            return Task.CompletedTask;
        }
        return _options.Endless && !HttpMethods.IsHead(context.Request.Method)
            ? SendEndlessAsync(context, log, range, cancellationToken)
            : SendFiniteAsync(context, log, range, cancellationToken);
    }

    private async Task SendFiniteAsync(HttpContext context, TestRequest log, RecordRange range, CancellationToken cancellationToken)
    {
        var end = IsTransactional ? _signals.Control(range.IsWhole ? ControlLine.SnapshotCompleted : ControlLine.Heartbeat) : [];
        (var count, var length) = Measure(range);
        AnnounceCount(context.Response, count);
        var body = await ResponseBody.StartAsync(context, log, length + end.Length, cancellationToken).ConfigureAwait(false);
        await SendAsync(body, range, cancellationToken).ConfigureAwait(false);
        if (end.Length > 0)
            body.Write(end);
        await body.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task SendEndlessAsync(HttpContext context, TestRequest log, RecordRange range, CancellationToken cancellationToken)
    {
        if (_options.AnnounceCount)
            AnnounceCount(context.Response, Measure(range).Count);
        if (!IsTransactional)
            context.Response.Headers[WireNames.CaughtUpHeader] = WireNames.CaughtUpBySilence;
        var body = await ResponseBody.StartAsync(context, log, length: null, cancellationToken).ConfigureAwait(false);
        await SendAsync(body, range, cancellationToken).ConfigureAwait(false);
        if (IsTransactional)
        {
            body.Write(_signals.Control(range.IsWhole ? ControlLine.SnapshotCompleted : ControlLine.Heartbeat));
            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        await SendLiveAsync(body, log, range.End, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// What is added goes to every connected client, whatever its order value: a late record is the client's problem.
    /// </summary>
    private async Task SendLiveAsync(ResponseBody body, TestRequest log, int position, CancellationToken cancellationToken)
    {
        var asked = _signals.Asks.Before(log.Number);
        while (true)
        {
            log.LivePosition = position;
            _delivered.Raise();
            if (
                body.SharedSocket is { } socket
                && await _fanOut
                    .JoinAsync(socket, log, position, asked.Count, Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken)
                    .ConfigureAwait(false)
                    is { } rest
            )
            {
                if (rest.IsGone)
                    throw new ConnectionAbortedException();
                await body.SendFramedAsync(rest.Bytes, cancellationToken).ConfigureAwait(false);
                (position, asked.Count) = (rest.Position, rest.Heartbeats);
            }
            else if (await _signals.NextAsync(position, asked, cancellationToken).ConfigureAwait(false) is { } heartbeat)
            {
                body.Write(heartbeat);
            }
            else
            {
                RecordRange added = new(position, Log.Count, default);
                await SendAsync(body, added, cancellationToken).ConfigureAwait(false);
                position = added.End;
                if (IsTransactional)
                    body.Write(_signals.Control(ControlLine.Heartbeat));
            }
            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task SendAsync(ResponseBody body, RecordRange range, CancellationToken cancellationToken)
    {
        var batch = new FeedRecord[Math.Min(BatchSize, range.End - range.Start)];
        var bytes = new ReadOnlyMemory<byte>[batch.Length];
        for (var position = range.Start; position < range.End; )
        {
            var read = Log.Read(position, batch.AsSpan(0, Math.Min(batch.Length, range.End - position)));
            position += read;
            body.Write(Bytes(batch.AsSpan(0, Keep(batch.AsSpan(0, read), range)), bytes), _options.ChunksEachRecord);
            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static ReadOnlySpan<ReadOnlyMemory<byte>> Bytes(ReadOnlySpan<FeedRecord> records, Span<ReadOnlyMemory<byte>> bytes)
    {
        for (var i = 0; i < records.Length; i++)
            bytes[i] = records[i].Bytes;
        return bytes[..records.Length];
    }

    private (int Count, long Length) Measure(RecordRange range)
    {
        var batch = new FeedRecord[BatchSize];
        var count = 0;
        long length = 0;
        for (var position = range.Start; position < range.End; )
        {
            var read = Log.Read(position, batch.AsSpan(0, Math.Min(batch.Length, range.End - position)));
            position += read;
            var kept = Keep(batch.AsSpan(0, read), range);
            count += kept;
            foreach (var record in batch.AsSpan(0, kept))
                length += record.Bytes.Length;
        }
        return (count, length);
    }

    /// <summary>Moves the records to send to the front, in order, and counts them.</summary>
    private int Keep(Span<FeedRecord> batch, RecordRange range)
    {
        var kept = 0;
        foreach (var record in batch)
        {
            if (range.Takes(record) && !(range.IsWhole && _options.OmitDeleted && record.Deleted))
                batch[kept++] = record;
        }
        return kept;
    }

    private void AddHeaders(IHeaderDictionary headers)
    {
        headers.ContentType = "application/x-ndjson";
        if (_options.InstanceName is { } name)
            headers["Instance-Name"] = name;
        if (_options.Identity is { } identity)
            headers["Lockstep-Feed"] = identity;
    }

    private void AnnounceCount(HttpResponse response, int count)
    {
        if (_options.AnnounceCount)
            response.Headers["X-Amz-Meta-Count"] = count.ToString(CultureInfo.InvariantCulture);
    }

    private bool IsOfAnotherFeed(HttpRequest request) =>
        _options.Identity is { } identity && request.Headers.TryGetValue("Lockstep-Feed", out var asked) && asked != identity;

    /// <summary>The snapshot's URI fixes how many records it holds, so that it stays the same however often it is fetched.</summary>
    private static void RedirectToSnapshot(HttpContext context, int size)
    {
        context.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
        context.Response.Headers.Location =
            $"{context.Request.Scheme}://{context.Request.Host}{SnapshotPath}{size.ToString(CultureInfo.InvariantCulture)}";
    }

    private int? SnapshotSize(PathString path) =>
        path.Value is { } text
        && text.StartsWith(SnapshotPath, StringComparison.Ordinal)
        && int.TryParse(text.AsSpan(SnapshotPath.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            ? Math.Min(size, Log.Count)
            : null;
}
