using System.Globalization;
using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults.Stages;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// A response that faults take part in. Kestrel writes none of it: from the status line to the last byte it passes through stages (records,
/// encoding, framing, wire) to the connection, which ends with it.
/// </summary>
internal sealed class FaultedResponse(HttpContext context, TestRequest log, TimeProvider time, IFeed feed) : IResponseBodyFeature
{
    private readonly List<Stage> _records = [];
    private readonly List<Stage> _encoding = [];
    private readonly List<Stage> _wire = [];
    private readonly List<Action<HttpResponse>> _headChanges = [];
    private Stage? _first;
    private bool _dropsLength;

    public HttpContext Context { get; } = context;

    public TestRequest Log { get; } = log;

    public TimeProvider Time { get; } = time;

    /// <summary>The feed, without the faults.</summary>
    public IFeed Feed { get; } = feed;

    /// <summary>Stands in for the feed; the first fault that sets it wins.</summary>
    public Func<CancellationToken, Task>? Answer { get; private set; }

    /// <summary>Whether the last fault came too late to answer.</summary>
    public bool IsTooLate { get; set; }

    /// <summary>Frames a chunked body.</summary>
    public ChunkStage Framing { get; set; } = new();

    /// <summary>Announced instead of the body's true length.</summary>
    public Func<long?, long>? FalseLength { get; set; }

    /// <summary>Whether the feed knows how long the body is; before the start, false.</summary>
    public bool IsFinite { get; private set; }

    /// <summary>What separates the records of a list, which faults may send in another number and order.</summary>
    public SeparatorStage Separators { get; } = new();

    private bool IsHead => HttpMethods.IsHead(Context.Request.Method);

    public void AnswerWith(Func<CancellationToken, Task> answer)
    {
        IsTooLate = Answer is not null;
        Answer ??= answer;
    }

    /// <summary>Sends a body of known length in chunks.</summary>
    public void DropLength() => _dropsLength = true;

    public void ChangeHead(Action<HttpResponse> change) => _headChanges.Add(change);

    /// <summary>Works on whole records.</summary>
    public void AddToRecords(Stage stage)
    {
        DropLength();
        _records.Add(stage);
    }

    /// <summary>Works on the bytes of the body, before they are framed.</summary>
    public void AddToBody(Stage stage)
    {
        DropLength();
        _encoding.Add(stage);
    }

    /// <summary>Works on everything, as it goes out; the announced length stays.</summary>
    public void AddToWire(Stage stage) => _wire.Add(stage);

    /// <summary>Sends the headers, and prepares for the body.</summary>
    private async ValueTask StartAsync(long? length, CancellationToken cancellationToken)
    {
        var response = Context.Response;
        IsFinite = length is not null;
        response.ContentLength = _dropsLength ? null : length;
        // What a feed says about its silence does not hold for a body that faults may delay or cut.
        if (_records.Concat(_encoding).Concat(_wire).Any(stage => stage.MayHoldBack))
            response.Headers.Remove(WireNames.CaughtUpHeader);
        foreach (var change in _headChanges)
            change(response);
        if (FalseLength is { } announce)
            response.ContentLength = announce(length);
        var hasBody = !IsHead && response.StatusCode is not (StatusCodes.Status204NoContent or StatusCodes.Status304NotModified);
        var chunked = hasBody && response.ContentLength is null && HttpProtocol.IsHttp11(Context.Request.Protocol);
        if (chunked)
            response.Headers.TransferEncoding = "chunked";
        response.Headers.Connection = "close";
        Log.Status = response.StatusCode;
        var wire = Link([.. _wire, new OutputStage(HostedConnection.Of(Context.Features).RawOutput, Log)]);
        await wire.WriteAsync(new Piece(Head(response), PieceKind.Head), cancellationToken).ConfigureAwait(false);
        await wire.FlushAsync(cancellationToken).ConfigureAwait(false);
        _first = Link([.. _records, Separators, .. _encoding, .. chunked ? [Framing] : Array.Empty<Stage>(), wire]);
        await _first.BeginAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<ResponseBody> StartBodyAsync(long? length, CancellationToken cancellationToken)
    {
        await StartAsync(length, cancellationToken).ConfigureAwait(false);
        return new FaultedBody(this);
    }

    /// <summary>Passes on a part of the body.</summary>
    public ValueTask WriteAsync(Piece piece, CancellationToken cancellationToken) =>
        IsHead ? default : _first!.WriteAsync(piece, cancellationToken);

    public ValueTask FlushAsync(CancellationToken cancellationToken) => _first!.FlushAsync(cancellationToken);

    /// <summary>The feed is done. One that answered with a status only has not even begun.</summary>
    public async ValueTask CompleteAsync(CancellationToken cancellationToken)
    {
        if (_first is null)
            await StartAsync(0, cancellationToken).ConfigureAwait(false);
        if (IsHead)
            await _first!.FlushAsync(cancellationToken).ConfigureAwait(false);
        else
            await _first!.EndAsync(cancellationToken).ConfigureAwait(false);
    }

    private static Stage Link(Stage[] stages)
    {
        for (var i = 0; i + 1 < stages.Length; i++)
            stages[i].Next = stages[i + 1];
        return stages[0];
    }

    private static byte[] Head(HttpResponse response)
    {
        StringBuilder head = new();
        head.Append(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 {response.StatusCode} {ReasonPhrases.GetReasonPhrase(response.StatusCode)}\r\n"
        );
        foreach ((var name, var values) in response.Headers)
        {
            foreach (var value in values)
                head.Append(name).Append(": ").Append(value).Append("\r\n");
        }
        return Encoding.Latin1.GetBytes(head.Append("\r\n").ToString());
    }
}

/// <summary>A body that passes through the stages of faults.</summary>
internal sealed class FaultedBody(FaultedResponse response) : ResponseBody
{
    private readonly List<Piece> _pending = [];

    public override void Write(ReadOnlySpan<byte> payload, int records = 0) =>
        _pending.Add(new Piece(payload.ToArray(), records > 0 ? PieceKind.Record : PieceKind.Other, records, EndsChunk: true));

    public override void Write(ReadOnlySpan<ReadOnlyMemory<byte>> records, bool chunkEach)
    {
        for (var i = 0; i < records.Length; i++)
            _pending.Add(new Piece(records[i], PieceKind.Record, 1, EndsChunk: chunkEach || i == records.Length - 1));
    }

    public override void WriteList(IReadOnlyList<ReadOnlyMemory<byte>> items, ReadOnlyMemory<byte> separator)
    {
        response.Separators.Separator = separator;
        foreach (var item in items)
            _pending.Add(new Piece(item, PieceKind.Record, 1));
    }

    public override void WriteBehindList(ReadOnlySpan<byte> payload) =>
        _pending.Add(new Piece(payload.ToArray(), PieceKind.Tail, EndsChunk: true));

    public override async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        Piece[] pieces = [.. _pending];
        _pending.Clear();
        foreach (var piece in pieces)
            await response.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        await response.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
