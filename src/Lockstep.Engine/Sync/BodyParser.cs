using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>Why parsing stopped.</summary>
internal enum ParseStop
{
    NeedMore,
    BatchFull,
    Signal,
    Malformed,
}

/// <summary>
/// Turns frames into records and puts them into the batch, without interruption until something must be awaited. Each frame becomes a
/// record, a control row or a heartbeat, or is quarantined as malformed (I7). One thread at a time.
/// </summary>
internal sealed class BodyParser(
    SyncContext context,
    BodySource source,
    FrameReader frames,
    CursorTracker tracker,
    CommitPacer pacer,
    SetCompletion set
)
{
    private const int SnippetLength = 80;

    /// <summary>Whether anything arrived that at least begins like an object.</summary>
    public bool HasObject { get; private set; }

    /// <summary>Whether anything arrived other than blank lines.</summary>
    private bool _hasContent;

    /// <summary>The beginning of a body that does not start with an object; null otherwise.</summary>
    public string? Garbage { get; private set; }

    /// <summary>The error to end with after <see cref="ParseStop.Malformed"/>.</summary>
    public FeedException? Error { get; private set; }

    /// <summary>The feed's signal, after <see cref="ParseStop.Signal"/>.</summary>
    public FeedSignal Signal { get; private set; }

    /// <summary>Parses the frames that have arrived.</summary>
    [MethodImpl(HotCode.Options)]
    public ParseStop Parse()
    {
        var counters = context.Counters;
        var parser = context.Parser;
        while (true)
        {
            // Most of a feed is plain records, which are framed and read in one pass.
            var bytes = frames.PeekUnframed();
            if (
                !bytes.IsEmpty
                && parser.TryParseRecord(bytes, out var length, out var record)
                && length <= context.Options.MaximumRecordSize
            )
            {
                var isFull = Take(record);
                frames.Take(length);
                if (isFull)
                    return ParseStop.BatchFull;
                continue;
            }

            if (!frames.TryRead(out var frame))
                return ParseStop.NeedMore;
            switch (frame.Kind)
            {
                case FrameKind.BlankLine:
                    counters.Heartbeats++;
                    continue;
                case FrameKind.Object:
                    HasObject = true;
                    break;
                default:
                    HasObject |= frame.Kind != FrameKind.Garbage;
                    if (Refuse(frame, Describe(frame.Kind)))
                        return ParseStop.Malformed;
                    if (pacer.QuarantineIsFull)
                        return ParseStop.BatchFull;
                    continue;
            }

            switch (parser.Parse(frame.Bytes, out record))
            {
                case ParsedKind.Record:
                    if (Take(record))
                        return ParseStop.BatchFull;
                    continue;
                case ParsedKind.Signal when parser.Signal.Kind == FeedSignalKind.Other:
                    continue;
                case ParsedKind.Signal when parser.Signal.Kind == FeedSignalKind.RowLeftOut:
                    context.NoteLeftOut(parser.Signal.LeftOut!);
                    continue;
                case ParsedKind.Signal when parser.Signal.Kind == FeedSignalKind.Page:
                    NotePage(parser.Signal.Next!);
                    continue;
                case ParsedKind.Signal when parser.Signal.Kind == FeedSignalKind.Mark:
                    pacer.Note(parser.Signal.Mark!.Value);
                    continue;
                case ParsedKind.Signal:
                    Hear(parser.Signal);
                    return ParseStop.Signal;
                default:
                    if (Refuse(frame, parser.Reason))
                        return ParseStop.Malformed;
                    if (pacer.QuarantineIsFull)
                        return ParseStop.BatchFull;
                    continue;
            }
        }
    }

    /// <summary>Adds a record to the batch. Returns whether the batch is then full.</summary>
    private bool Take(in RoutedRecord record)
    {
        HasObject = _hasContent = true;
        context.Counters.Received++;
        if (tracker.Note(record))
            context.Counters.OutOfOrder++;
        var isFull = pacer.Add(record, out var beginsBatch);
        if (beginsBatch && record.TransactionId is not null && source.Start.IsStart && !set.IsComplete && !pacer.IsStaged)
            tracker.Hold();
        return isFull;
    }

    /// <summary>The feed says where its set continues, which must be on the same server.</summary>
    private void NotePage(string next)
    {
        if (
            source.IsFirstLoad
            && !source.IsRedirected
            && !set.IsComplete
            && Uri.TryCreate(source.Feed.Location, next, out var page)
            && Uri.Compare(
                page,
                source.Feed.Location,
                UriComponents.SchemeAndServer,
                UriFormat.UriEscaped,
                StringComparison.OrdinalIgnoreCase
            ) == 0
        )
        {
            pacer.LoadPage = source.KeepPage?.Invoke(page) ?? pacer.LoadPage;
        }
    }

    private void Hear(FeedSignal signal)
    {
        Signal = signal;
        var isHeartbeat = signal.Kind == FeedSignalKind.Heartbeat;
        if (isHeartbeat)
            context.Counters.Heartbeats++;
        // While the whole set is arriving, a heartbeat's horizon is ahead of the set's own.
        if (signal.Cursor is { } cursor && !(isHeartbeat && set.IsTransactionSetUnderWay(signal)))
            tracker.Note(cursor);
    }

    /// <summary>Quarantines malformed bytes, or returns true with the error to end with.</summary>
    private bool Refuse(Frame frame, string reason)
    {
        var beginsBody = !_hasContent;
        var isFirst = beginsBody && context.Counters.Received + context.Counters.Malformed == 0;
        _hasContent = true;
        // A truncated record will arrive again in full, so there is nothing to count or quarantine.
        if (frame.Kind != FrameKind.Truncated)
            context.Counters.Malformed++;
        var remedy = frame.Kind == FrameKind.Object ? context.Parser.Remedy : null;
        // Before the first record, malformed bytes may well mean that the body is not a feed.
        if (isFirst && ForeignBody.Describe(frame.Bytes) is { } foreign)
        {
            reason = foreign;
            remedy = ForeignBody.IsPage(frame.Bytes)
                ? (Remedy)$"Check the URI and the credentials, or name another dialect with {Term.Dialect}."
                : "A feed is one JSON object after another (NDJSON): check the URI, or write its records that way.";
        }
        else if (isFirst && context.Options is { KeyFields: null, OrderBy: null } && ForeignBody.OnlyList(frame.Bytes) is { } list)
        {
            reason = $"the body is one object that holds a list in '{list}'";
            remedy = (Remedy)$"If the records are in that list, sync with {Term.DialectWith($$"""{"From":"Rest","Items":"{{list}}"}""")}.";
        }

        // Likewise, a body that begins like another server's answer is read in that dialect, or at least reported as such.
        var dialect = isFirst ? DialectDetection.ByBody(frame.Bytes) : null;
        if (dialect is not null)
            remedy = $"Sync with {Term.Dialect.For(dialect)}.";
        // Neither a dialect's items nor an array are malformed records to quarantine.
        var isForeign = dialect is not null && DialectChoice.After(context.Options, context.Target.State, dialect) is not null;
        var isArray = isFirst && frame.Kind == FrameKind.Garbage && BodyStart.IsArray(frame.Bytes);

        context.FirstMalformed ??= new FirstMalformed(frame.Offset, reason, remedy);
        var snippet = Encoding.UTF8.GetString(frame.Bytes[..Math.Min(SnippetLength, frame.Bytes.Length)]).ReplaceLineEndings(" ");
        if (!HasObject)
            Garbage ??= snippet;
        Error =
            frame.Kind == FrameKind.Truncated ? new TruncatedFeedException(source.Feed, frame.Offset, snippet)
            : context.Options.MalformedRecord == MalformedRecordPolicy.Stop || isForeign
                ? new MalformedRecordException(source.Feed, frame.Offset, reason, snippet, remedy)
                {
                    Foreign = dialect,
                    IsFirst = beginsBody,
                }
            : isArray || (frame.Kind == FrameKind.Garbage && !HasObject && ForeignBody.IsMarkup(frame.Bytes))
                ? new NotAFeedException(source.Feed, snippet, isArray)
            : null;
        if (Error is not null)
            return true;
        // A complete object at least proves that its record exists, if its key can be read. A torn one may have swallowed others.
        set.NoteMalformed(frame.Kind is FrameKind.Object or FrameKind.TooLong ? context.Parser.ReadKeyOfMalformed(frame.Bytes) : null);
        pacer.Quarantine(new QuarantinedRecord(context.Time.GetUtcNow(), frame.Offset, reason, frame.Bytes.ToArray()));
        return false;
    }

    private string Describe(FrameKind kind) =>
        kind switch
        {
            FrameKind.Garbage => "it is not a JSON object",
            FrameKind.Torn => "it breaks off inside an object",
            FrameKind.TooLong => string.Create(
                CultureInfo.InvariantCulture,
                $"it is larger than {context.Options.MaximumRecordSize} bytes, the maximum record size"
            ),
            _ => "it is truncated",
        };
}
