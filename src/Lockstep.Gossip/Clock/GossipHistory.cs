namespace Lockstep.Gossip.Clock;

/// <summary>
/// The updates that a node keeps, by source and in order of time. Finding what a clock lacks costs in proportion to what is found, not to
/// what is kept. Not safe for concurrent use: a node calls it under its lock.
/// </summary>
internal sealed class GossipHistory(SourceIndex sources)
{
    /// <summary>By source number; sources that never had an update are missing.</summary>
    private SourceLog?[] _logs = [];

    public int Count { get; private set; }

    /// <summary>Adds an update: usually one newer than all others of its source, sometimes one that arrives late.</summary>
    public void Add(GossipUpdate update)
    {
        var source = sources.FindOrAdd(update.Source);
        if (source.Number >= _logs.Length)
        {
            Array.Resize(ref _logs, Math.Max(source.Number + 1, _logs.Length * 2));
        }

        (_logs[source.Number] ??= new SourceLog(source)).Add(update);
        Count++;
    }

    /// <summary>Whether this very update is kept.</summary>
    public bool Contains(GossipUpdate update) => LogOf(update.Source)?.Find(update.Timestamp) == update;

    public bool Remove(GossipUpdate update)
    {
        if (LogOf(update.Source) is not { } log || !log.Remove(update.Timestamp))
        {
            return false;
        }

        Count--;
        return true;
    }

    /// <summary>Whether nothing newer is kept of a source.</summary>
    public bool HasNothingSince(KnownSource source, double timestamp) =>
        source.Number >= _logs.Length || _logs[source.Number]?.After(timestamp) is null;

    private SourceLog? LogOf(string source) =>
        sources.Find(source) is { } known && known.Number < _logs.Length ? _logs[known.Number] : null;

    /// <summary>The oldest update kept, of any source; null if there is none.</summary>
    public GossipUpdate? Oldest()
    {
        GossipUpdate? oldest = null;
        foreach (var log in _logs)
        {
            if (log?.First() is { } first && (oldest is null || first.CompareTo(oldest) < 0))
            {
                oldest = first;
            }
        }

        return oldest;
    }

    /// <summary>
    /// What the clock lacks, in order of time and then of source. The first step fixes the start in each source: the clock may advance
    /// meanwhile.
    /// </summary>
    public IEnumerable<GossipUpdate> Since(GossipClock clock)
    {
        PriorityQueue<SourceLog.Cursor, GossipUpdate>? queue = null;
        SourceLog.Cursor? only = null;
        var byNumber = clock.Uses(sources);
        foreach (var log in _logs)
        {
            if (log is null)
            {
                continue;
            }

            var after = byNumber ? clock[log.Source] : clock[log.Source.Name];
            if (log.Newest <= after || log.After(after) is not { } cursor)
            {
                continue;
            }

            if (only is null && queue is null)
            {
                only = cursor;
                continue;
            }

            queue ??= new PriorityQueue<SourceLog.Cursor, GossipUpdate>(Comparer<GossipUpdate>.Create(static (a, b) => a.CompareTo(b)));
            if (only is not null)
            {
                queue.Enqueue(only, only.Current);
                only = null;
            }

            queue.Enqueue(cursor, cursor.Current);
        }

        for (var more = only is not null; more; more = only!.Advance())
        {
            yield return only!.Current;
        }

        while (queue is not null && queue.TryDequeue(out var next, out var update))
        {
            if (next.Advance())
            {
                queue.Enqueue(next, next.Current);
            }

            yield return update;
        }
    }

    /// <summary>One source's updates, oldest first, with holes where one was replaced; when most are holes, it is compacted.</summary>
    private sealed class SourceLog(KnownSource source)
    {
        // Most sources of a large model have written only once.
        private double[] _times = new double[1];
        private GossipUpdate?[] _updates = new GossipUpdate?[1];
        private int _count;
        private int _holes;
        private int _head;

        public KnownSource Source => source;

        public double Newest => _count == 0 ? double.NegativeInfinity : _times[_count - 1];

        public void Add(GossipUpdate update)
        {
            var index = _count;
            if (update.Timestamp <= Newest)
            {
                index = ~Array.BinarySearch(_times, 0, _count, update.Timestamp);
                if (index < 0)
                {
                    throw new ArgumentException("An update of this source and time is kept already.", nameof(update));
                }
            }

            if (_count == _times.Length)
            {
                Array.Resize(ref _times, _count * 2);
                Array.Resize(ref _updates, _count * 2);
            }

            if (index < _count)
            {
                Array.Copy(_times, index, _times, index + 1, _count - index);
                Array.Copy(_updates, index, _updates, index + 1, _count - index);
                _head = Math.Min(_head, index);
            }

            _times[index] = update.Timestamp;
            _updates[index] = update;
            _count++;
        }

        public bool Remove(double timestamp)
        {
            var index = Array.BinarySearch(_times, 0, _count, timestamp);
            if (index < 0 || _updates[index] is null)
            {
                return false;
            }

            _updates[index] = null;
            _holes++;
            while (_head < _count && _updates[_head] is null)
            {
                _head++;
            }

            if (_holes > 32 && _holes > _count / 2)
            {
                Squeeze();
            }

            return true;
        }

        public GossipUpdate? Find(double timestamp)
        {
            var index = Array.BinarySearch(_times, 0, _count, timestamp);
            return index < 0 ? null : _updates[index];
        }

        public GossipUpdate? First() => _head < _count ? _updates[_head] : null;

        public Cursor? After(double timestamp)
        {
            var index = Array.BinarySearch(_times, 0, _count, timestamp);
            var cursor = new Cursor(this, Math.Max(index < 0 ? ~index : index + 1, _head) - 1);
            return cursor.Advance() ? cursor : null;
        }

        private void Squeeze()
        {
            // The newest timestamp is kept even as a hole: later ones are compared to it.
            var kept = 0;
            for (var i = 0; i < _count; i++)
            {
                if (_updates[i] is not null || i == _count - 1)
                {
                    _times[kept] = _times[i];
                    _updates[kept++] = _updates[i];
                }
            }

            Array.Clear(_updates, kept, _count - kept);
            _count = kept;
            _holes = kept > 0 && _updates[kept - 1] is null ? 1 : 0;
            _head = 0;
            while (_head < _count && _updates[_head] is null)
            {
                _head++;
            }
        }

        public sealed class Cursor(SourceLog log, int index)
        {
            private int _index = index;

            public GossipUpdate Current => log._updates[_index]!;

            public bool Advance()
            {
                while (++_index < log._count)
                {
                    if (log._updates[_index] is not null)
                    {
                        return true;
                    }
                }

                return false;
            }
        }
    }
}
