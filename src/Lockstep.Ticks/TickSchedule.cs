namespace Lockstep.Ticks;

/// <summary>
/// A variable's schedule as read from the store. It is immutable, and with it every process computes the same value and the same boundaries
/// for an instant. Boundaries are counted from the tuple active at that instant in steps of its tick, up to the next tuple, which is itself
/// a boundary. Before the first tuple the value is null, and boundaries are counted from 1970 in steps of <see cref="DefaultTick"/>. All
/// members are pure and may be used from any thread.
/// </summary>
public sealed class TickSchedule : IEquatable<TickSchedule>
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);
    private readonly TickTuple[] _tuples;

    /// <summary>Creates a schedule from tuples in any order.</summary>
    /// <param name="defaultTick">The tick before the first tuple, as stored in the store.</param>
    /// <param name="tuples">The tuples; no two of them at the same instant.</param>
    /// <exception cref="ArgumentException">Two tuples have the same instant.</exception>
    public TickSchedule(TimeSpan defaultTick, params IEnumerable<TickTuple> tuples)
    {
        DefaultTick = TickTuple.CheckTick(defaultTick);
        _tuples = [.. tuples.OrderBy(tuple => tuple.ActiveAt)];
        for (var i = 1; i < _tuples.Length; i++)
        {
            if (_tuples[i].ActiveAt == _tuples[i - 1].ActiveAt)
                throw new ArgumentException("Two tuples at " + _tuples[i].ActiveAt.ToString("O"), nameof(tuples));
        }
    }

    /// <summary>The tick in force before the first tuple.</summary>
    public TimeSpan DefaultTick { get; }

    /// <summary>All tuples, by <see cref="TickTuple.ActiveAt"/>.</summary>
    public IReadOnlyList<TickTuple> Tuples => _tuples;

    /// <summary>The tuple with the greatest <see cref="TickTuple.ActiveAt"/> at or before the instant; null before the first.</summary>
    public TickTuple? ActiveAt(DateTimeOffset instant)
    {
        var i = IndexAt(instant);
        return i < 0 ? null : _tuples[i];
    }

    /// <summary>The first tuple after the instant; null when there is none.</summary>
    public TickTuple? NextAfter(DateTimeOffset instant)
    {
        var i = IndexAt(instant) + 1;
        return i < _tuples.Length ? _tuples[i] : null;
    }

    /// <summary>The tuples that are no longer active at the instant, oldest first.</summary>
    public IReadOnlyList<TickTuple> ExpiredAt(DateTimeOffset instant) => _tuples[..Math.Max(0, IndexAt(instant))];

    /// <summary>The tuples that are yet to become active, next first.</summary>
    public IReadOnlyList<TickTuple> PendingAt(DateTimeOffset instant) => _tuples[(IndexAt(instant) + 1)..];

    /// <summary>The tick in force at the instant.</summary>
    public TimeSpan TickAt(DateTimeOffset instant) => ActiveAt(instant)?.Tick ?? DefaultTick;

    /// <summary>The first boundary after the instant (the contract's <c>next_check_at</c>).</summary>
    public DateTimeOffset NextCheckAt(DateTimeOffset instant)
    {
        var i = IndexAt(instant);
        var (start, tick) = Base(i);
        var boundary = start + (tick * (FloorDivide(instant - start, tick) + 1));
        return i + 1 < _tuples.Length && _tuples[i + 1].ActiveAt < boundary ? _tuples[i + 1].ActiveAt : boundary;
    }

    /// <summary>
    /// The second boundary after the instant (the contract's <c>next_available_change_at</c>): every process reads the store once before
    /// each boundary, so a tuple written now is known to all of them before it becomes active then.
    /// </summary>
    public DateTimeOffset NextAvailableChangeAt(DateTimeOffset instant) => NextCheckAt(NextCheckAt(instant));

    /// <summary>The instant itself if it is a boundary, otherwise the first boundary after it.</summary>
    public DateTimeOffset BoundaryAtOrAfter(DateTimeOffset instant) => NextCheckAt(instant - new TimeSpan(1));

    /// <summary>The last boundary before the instant.</summary>
    public DateTimeOffset BoundaryBefore(DateTimeOffset instant)
    {
        var before = instant - new TimeSpan(1);
        var (start, tick) = Base(IndexAt(before));
        return start + (tick * FloorDivide(before - start, tick));
    }

    /// <summary>Whether the instant is a boundary.</summary>
    public bool IsBoundary(DateTimeOffset instant) => BoundaryAtOrAfter(instant) == instant;

    /// <inheritdoc/>
    public bool Equals(TickSchedule? other) =>
        other is not null && DefaultTick == other.DefaultTick && _tuples.AsSpan().SequenceEqual(other._tuples);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TickSchedule);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(DefaultTick, _tuples.Length, _tuples.LastOrDefault());

    private (DateTimeOffset Start, TimeSpan Tick) Base(int index) =>
        index < 0 ? (DateTimeOffset.UnixEpoch, DefaultTick) : (_tuples[index].ActiveAt, _tuples[index].Tick);

    /// <summary>The index of the tuple active at the instant, or -1.</summary>
    private int IndexAt(DateTimeOffset instant)
    {
        int low = 0,
            high = _tuples.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_tuples[middle].ActiveAt <= instant)
                low = middle + 1;
            else
                high = middle;
        }

        return low - 1;
    }

    /// <summary>Rounds down, even below zero: there are boundaries before 1970 too.</summary>
    private static long FloorDivide(TimeSpan span, TimeSpan by)
    {
        var (quotient, remainder) = Math.DivRem(span.Ticks, by.Ticks);
        return remainder < 0 ? quotient - 1 : quotient;
    }
}
