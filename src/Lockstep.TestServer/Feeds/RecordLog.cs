using Lockstep.Engine.Records;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// The records of a scripted feed in order of arrival; append-only. Thread-safe: many readers, each with a position of its own.
/// </summary>
internal sealed class RecordLog
{
    private readonly Lock _gate = new();
    private readonly List<FeedRecord> _records = [];
    private readonly Dictionary<string, int> _firstByText = new(StringComparer.Ordinal);
    private readonly Pulse _grown = new();
    private OrderValue _greatest;

    public int Count
    {
        get
        {
            lock (_gate)
                return _records.Count;
        }
    }

    /// <summary>The greatest numeric order value so far.</summary>
    public OrderValue Greatest
    {
        get
        {
            lock (_gate)
                return _greatest;
        }
    }

    /// <summary>Creates and appends records as one step, so that they are appended in the order of their creation.</summary>
    public void Append(IEnumerable<ReadOnlyMemory<byte>> json, RecordMaker maker)
    {
        lock (_gate)
        {
            try
            {
                foreach (var record in json)
                    Append(maker.Make(record));
            }
            finally
            {
                _grown.Raise();
            }
        }
    }

    /// <summary>Copies records from a position on, as many as there are and fit.</summary>
    public int Read(int position, Span<FeedRecord> target)
    {
        lock (_gate)
        {
            var count = Math.Min(target.Length, _records.Count - position);
            for (var i = 0; i < count; i++)
                target[i] = _records[position + i];
            return count;
        }
    }

    /// <summary>Completes when there is a record at the position.</summary>
    public Task WaitAsync(int position)
    {
        lock (_gate)
            return _records.Count > position ? Task.CompletedTask : _grown.Next;
    }

    /// <summary>What a request with this cursor gets of the existing records; the boundary is included (I4).</summary>
    /// <returns>Null if the cursor is a string that this feed never gave out.</returns>
    public RecordRange? Select(string? cursor)
    {
        lock (_gate)
        {
            if (cursor is null or "" or "0")
                return new RecordRange(0, _records.Count, default, IsWhole: true);
            if (_firstByText.TryGetValue(cursor, out var first))
                return new RecordRange(first, _records.Count, default);
            var minimum = RequestCursor.Parse(cursor);
            return minimum.Kind == OrderKind.Number && _firstByText.Count == 0 ? new RecordRange(0, _records.Count, minimum) : null;
        }
    }

    private void Append(FeedRecord record)
    {
        if (record.Order.Kind == OrderKind.Text)
        {
            _firstByText.TryAdd(record.Order.ToString(), _records.Count);
        }
        else if (
            record.Order.Kind == OrderKind.Number
            && (_greatest.Kind == OrderKind.Unknown || OrderValue.Compare(record.Order, _greatest) > 0)
        )
        {
            _greatest = record.Order;
        }

        _records.Add(record);
    }
}

/// <summary>One record of a scripted feed, ready to be sent: every client gets the same memory.</summary>
/// <param name="Bytes">UTF-8 JSON with the separator after it.</param>
/// <param name="Order">Its order value.</param>
/// <param name="Deleted">Whether it is a tombstone.</param>
internal sealed record FeedRecord(ReadOnlyMemory<byte> Bytes, OrderValue Order, bool Deleted);

/// <summary>
/// A part of a record log: the positions from <paramref name="Start"/> up to but not including <paramref name="End"/>, and of those what is
/// not below a minimum.
/// </summary>
/// <param name="Start">The first position.</param>
/// <param name="End">The position after the last.</param>
/// <param name="Minimum">The cursor, if it is a number; a record without an order value is never below it.</param>
/// <param name="IsWhole">Whether the client asked for the whole set, so that the answer is a snapshot.</param>
internal readonly record struct RecordRange(int Start, int End, OrderValue Minimum, bool IsWhole = false)
{
    public bool Takes(FeedRecord record) =>
        Minimum.Kind == OrderKind.Unknown || record.Order.Kind != OrderKind.Number || OrderValue.Compare(record.Order, Minimum) >= 0;
}
