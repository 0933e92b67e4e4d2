namespace Lockstep.Engine.Serving;

/// <summary>What one look at a table found.</summary>
/// <param name="From">What was known before.</param>
/// <param name="To">What is known with it.</param>
/// <param name="Pieces">The lines of the rows that are in To and not in From.</param>
/// <param name="Bytes">The size of all pieces.</param>
internal sealed record LiveBatch<TPosition>(TPosition From, TPosition To, IReadOnlyList<ReadOnlyMemory<byte>> Pieces, long Bytes)
    where TPosition : class, IFeedPosition<TPosition>;

/// <summary>What a follower finds at its position in the log.</summary>
internal enum LiveOutcome
{
    /// <summary>A batch; the position has moved past it.</summary>
    Batch,

    /// <summary>Nothing yet: it has everything up to the log's end.</summary>
    AtEnd,

    /// <summary>What follows is no longer there: read it from its origin.</summary>
    Lost,

    /// <summary>The log belongs to another feed now.</summary>
    OtherFeed,

    /// <summary>The source has stopped.</summary>
    Closed,
}

/// <summary>
/// The changes of the last moments, written by one thread and read by any number of followers, none of which can hold up the others or keep
/// alive what the log has dropped: a follower holds a number, not a batch (I8). Thread-safe.
/// </summary>
/// <param name="capacity">The most bytes that it keeps.</param>
internal sealed class LiveLog<TPosition>(long capacity)
    where TPosition : class, IFeedPosition<TPosition>
{
    private const int BatchOverhead = 256;
    private readonly Lock _gate = new();
    private readonly List<LiveBatch<TPosition>?> _batches = [];
    private readonly Signal _changed = new();
    private int _head;
    private long _first;
    private long _bytes;
    private string? _identity;
    private TPosition? _end;
    private bool _isClosed;

    /// <summary>The feed whose changes these are; null before the first look.</summary>
    public string? Identity
    {
        get
        {
            lock (_gate)
                return _identity;
        }
    }

    /// <summary>What is known; null before the first look.</summary>
    public TPosition? End
    {
        get
        {
            lock (_gate)
                return _end;
        }
    }

    /// <summary>Drops everything and continues from a position: at the start, for another feed, or after more changes than fit.</summary>
    public void Restart(string identity, TPosition end)
    {
        lock (_gate)
        {
            // One number is skipped, so that a follower at the end is lost too.
            _first += _batches.Count - _head + 1;
            _batches.Clear();
            (_head, _bytes) = (0, 0);
            (_identity, _end) = (identity, end);
            _changed.Raise();
        }
    }

    /// <summary>Appends what a look found, and releases the oldest batches beyond the capacity.</summary>
    public void Append(LiveBatch<TPosition> batch)
    {
        lock (_gate)
        {
            _end = batch.To;
            if (batch.Bytes == 0)
                return;
            _batches.Add(batch);
            _bytes += batch.Bytes + BatchOverhead;
            while (_bytes > capacity && _head < _batches.Count)
            {
                _bytes -= _batches[_head]!.Bytes + BatchOverhead;
                _batches[_head++] = null;
                _first++;
            }

            if (_head > _batches.Count / 2)
            {
                _batches.RemoveRange(0, _head);
                _head = 0;
            }

            _changed.Raise();
        }
    }

    /// <summary>The source stops: ends the journey of all followers.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            _changed.Raise();
        }
    }

    /// <summary>The position from which a reader can follow; null if it has to read changes first.</summary>
    public long? PlaceAfter(TPosition known, string identity)
    {
        lock (_gate)
        {
            if (_identity != identity || _end is null)
                return null;
            var start = _head < _batches.Count ? _batches[_head]!.From : _end;
            if (!start.IsWithin(known))
                return null;

            // Each look sees what the one before it saw, so the known batches come first.
            var (low, high) = (_head, _batches.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (_batches[middle]!.To.IsWithin(known))
                    low = middle + 1;
                else
                    high = middle;
            }

            return _first + low - _head;
        }
    }

    /// <summary>
    /// The log's end, for a reader that will read changes next: the read can have missed only what is appended later. For positions without
    /// a known order; what is appended during the read comes to that reader twice. Null before the first look at the feed.
    /// </summary>
    public long? PlaceAtEnd(string identity)
    {
        lock (_gate)
            return _identity == identity ? _first + _batches.Count - _head : null;
    }

    /// <summary>
    /// Takes what is at a position. <paramref name="more"/> says whether another batch follows; <paramref name="end"/> is what a follower
    /// knows that has taken everything.
    /// </summary>
    public LiveOutcome Take(
        ref long place,
        string identity,
        out LiveBatch<TPosition>? batch,
        out bool more,
        out TPosition? end,
        out Task changed
    )
    {
        lock (_gate)
        {
            (batch, more, end, changed) = (null, false, _end, _changed.Next);
            if (_isClosed)
                return LiveOutcome.Closed;
            if (_identity != identity)
                return LiveOutcome.OtherFeed;
            if (place < _first)
                return LiveOutcome.Lost;
            if (place - _first >= _batches.Count - _head)
                return LiveOutcome.AtEnd;
            batch = _batches[_head + (int)(place - _first)];
            place++;
            more = place - _first < _batches.Count - _head;
            return LiveOutcome.Batch;
        }
    }
}
