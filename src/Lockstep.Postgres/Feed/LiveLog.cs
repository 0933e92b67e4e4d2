namespace Lockstep.Postgres.Feed;

/// <summary>What one poll found.</summary>
/// <param name="From">What was known before.</param>
/// <param name="To">What is known with it.</param>
/// <param name="Pieces">The lines of the rows that To shows and From does not.</param>
/// <param name="Bytes">Of all pieces.</param>
internal sealed record LiveBatch(PgSnapshot From, PgSnapshot To, IReadOnlyList<ReadOnlyMemory<byte>> Pieces, long Bytes);

/// <summary>What a follower finds at its place in the log.</summary>
internal enum LiveOutcome
{
    /// <summary>A batch; the place has moved past it.</summary>
    Batch,

    /// <summary>Nothing yet: it has everything up to the log's end.</summary>
    AtEnd,

    /// <summary>What follows is no longer there: read from the database.</summary>
    Lost,

    /// <summary>The log belongs to another feed now.</summary>
    OtherFeed,
}

/// <summary>
/// The changes of the last moments, written by one poller and read by any number of followers, none of which can hold up the others or
/// keep alive what the log has let go: a follower holds a number, not a batch (I8).
/// </summary>
internal sealed class LiveLog(long capacity)
{
    private const int BatchOverhead = 256;
    private static readonly LiveBatch Gone = new(PgSnapshot.Below(0), PgSnapshot.Below(0), [], 0);
    private readonly Lock _gate = new();
    private readonly List<LiveBatch> _batches = [];
    private int _head;
    private TaskCompletionSource _changed = NewSignal();
    private long _first;
    private long _bytes;
    private string? _identity;
    private PgSnapshot? _end;

    /// <summary>The feed whose changes these are; null before the first poll.</summary>
    public string? Identity
    {
        get
        {
            lock (_gate)
                return _identity;
        }
    }

    /// <summary>What is known; null before the first poll.</summary>
    public PgSnapshot? End
    {
        get
        {
            lock (_gate)
                return _end;
        }
    }

    /// <summary>Drops everything and goes on from a snapshot: at the start, for another feed, or after more changes than fit.</summary>
    public void Restart(string identity, PgSnapshot end)
    {
        lock (_gate)
        {
            // One number is skipped, so that a follower at the end is lost too.
            _first += _batches.Count - _head + 1;
            _batches.Clear();
            (_head, _bytes) = (0, 0);
            (_identity, _end) = (identity, end);
            Signal();
        }
    }

    /// <summary>Appends what a poll found, and lets go of the oldest batches beyond the capacity.</summary>
    public void Append(LiveBatch batch)
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
                _bytes -= _batches[_head].Bytes + BatchOverhead;
                _batches[_head++] = Gone;
                _first++;
            }

            if (_head > _batches.Count / 2)
            {
                _batches.RemoveRange(0, _head);
                _head = 0;
            }

            Signal();
        }
    }

    /// <summary>The place from which a reader that knows a snapshot can follow; null when it has to read from the database first.</summary>
    public long? PlaceAfter(PgSnapshot known, string identity)
    {
        lock (_gate)
        {
            if (_identity != identity || _end is null)
                return null;
            var start = _head < _batches.Count ? _batches[_head].From : _end;
            if (!start.IsWithin(known))
                return null;

            // Each snapshot of one server shows what the one before it shows, so the batches that are known come first.
            var (low, high) = (_head, _batches.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (_batches[middle].To.IsWithin(known))
                    low = middle + 1;
                else
                    high = middle;
            }

            return _first + low - _head;
        }
    }

    /// <summary>
    /// The log's end, for a reader that will read from the database next: what is appended later is all that the reading can have missed.
    /// For replicas, whose snapshots do not tell which came first; what is appended during the reading comes to that reader twice. Null
    /// before the first poll of the feed.
    /// </summary>
    public long? PlaceAtEnd(string identity)
    {
        lock (_gate)
            return _identity == identity ? _first + _batches.Count - _head : null;
    }

    /// <summary>
    /// Takes what is at a place. <paramref name="more"/> tells whether another batch follows; <paramref name="end"/> is what a follower
    /// knows that has taken all.
    /// </summary>
    public LiveOutcome Take(ref long place, string identity, out LiveBatch? batch, out bool more, out PgSnapshot? end, out Task changed)
    {
        lock (_gate)
        {
            (batch, more, end, changed) = (null, false, _end, _changed.Task);
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

    private void Signal()
    {
        var signal = _changed;
        _changed = NewSignal();
        signal.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
