using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>Turns a stream's bytes into items. One thread at a time.</summary>
internal interface IFrames
{
    /// <summary>The cursor that covers what has been read, if the frames carry one; null or empty otherwise.</summary>
    string? Position { get; }

    /// <summary>How long the server asks its clients to wait before they reconnect.</summary>
    TimeSpan? Retry { get; }

    Memory<byte> GetFreeMemory();

    /// <summary>Takes the number of bytes written; zero when the stream has ended.</summary>
    void Advance(int count);

    /// <summary>Hands the next frame to the round. False if more bytes are needed.</summary>
    bool TryTake(StreamRound round, DialectRules rules);

    /// <summary>The stream has ended: whether it did between two frames.</summary>
    /// <exception cref="FeedCutException">It did not, and that means that it was cut off.</exception>
    bool IsWhole(FeedUri feed);
}

/// <summary>One JSON object per line; blank lines are signs of life.</summary>
internal sealed class LineFrames(int maximum) : IFrames
{
    private readonly FrameReader _frames = new(maximum);
    private readonly ItemPlaces _item = new();
    private bool _isCut;

    public string? Position => null;

    public TimeSpan? Retry => null;

    public Memory<byte> GetFreeMemory() => _frames.GetFreeMemory();

    public void Advance(int count)
    {
        if (count == 0)
            _frames.Complete();
        else
            _frames.Advance(count);
    }

    public bool TryTake(StreamRound round, DialectRules rules)
    {
        if (!_frames.TryRead(out var frame))
            return false;
        switch (frame.Kind)
        {
            case FrameKind.BlankLine:
                round.Beat();
                break;
            case FrameKind.Object:
                _item.Item.Read(frame.Bytes);
                round.Take(rules, _item, frame.Offset);
                break;
            case FrameKind.Truncated:
                _isCut = true;
                break;
            default:
                round.Refuse(
                    frame.Bytes,
                    frame.Offset,
                    frame.Kind == FrameKind.TooLong ? "it is too large" : "it is not a JSON object",
                    isText: frame.Kind == FrameKind.Garbage
                );
                break;
        }

        return true;
    }

    public bool IsWhole(FeedUri feed) => _isCut ? throw new FeedCutException(feed, "it ended within a line.") : true;
}

/// <summary>Server-sent events, whose data is one object or a list of them.</summary>
internal sealed class EventFrames(int maximum) : IFrames
{
    /// <summary>The shortest wait, whatever a server allows.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);

    private readonly EventReader _events = new(maximum);
    private readonly ItemPlaces _item = new();

    public string? Position => _events.DispatchedId;

    public TimeSpan? Retry => _events.Retry is { } retry && retry < Shortest ? Shortest : _events.Retry;

    public Memory<byte> GetFreeMemory() => _events.GetFreeMemory();

    public void Advance(int count) => _events.Advance(count);

    public bool TryTake(StreamRound round, DialectRules rules)
    {
        var offset = _events.Offset;
        if (!_events.TryRead(out var kind))
            return false;
        _item.Item.Clear();
        _item.Origin = new ItemOrigin(_events.Type.Length == 0 ? "message" : _events.Type, _events.DispatchedId);
        if (kind == EventKind.Heartbeat || rules.Heartbeat?.Holds(_item) == true)
            round.Beat();
        else if (rules.Skip?.Holds(_item) != true)
            TakeData(round, rules, offset);
        return true;
    }

    /// <summary>An event that no blank line has ended is dropped, as browsers do; some servers end like that each time.</summary>
    public bool IsWhole(FeedUri feed) => !_events.IsWithinEvent;

    private void TakeData(StreamRound round, DialectRules rules, long offset)
    {
        var data = _events.Data.Span;
        // The list is one level deeper than its records.
        if (!_item.Item.Read(data, RecordParser.MaximumDepth + 1))
        {
            round.Refuse(data, offset, "its data is not JSON");
            return;
        }

        if (_item.Item.Kind != JsonKind.Array)
        {
            round.Take(rules, _item, offset);
            return;
        }

        var element = new ItemPlaces { Origin = _item.Origin };
        var list = _item.Item.Bytes;
        var scan = new JsonScanner(list.Span, RecordParser.MaximumDepth + 1);
        scan.OpenArray();
        while (scan.NextElement(out var value))
        {
            element.Item.Scan(PlaceValue.Of(value, list).Json);
            round.Take(rules, element, offset);
        }
    }
}
