namespace Lockstep.Testing;

/// <summary>
/// A clock that stands still until a test advances it. Timers fire on the thread that calls <see cref="Advance"/>, in the order in which
/// they are due (the earlier set first if two are due together), and while a callback runs the clock shows the instant at which its timer
/// was due. All members may be used from any thread; two threads that advance do so one after the other.
/// </summary>
/// <remarks>
/// A timer that is due at once fires with the next advance, even one of zero. Nobody waits for work that a callback starts on another
/// thread. A test that needs it waits for its outcome, or uses <see cref="WaitForTimersAsync"/> to learn that the code under test waits on
/// a timer again.
/// </remarks>
public sealed class ManualTimeProvider : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly Lock _advancing = new();
    private readonly SortedSet<ManualTimer> _scheduled = new(ManualTimer.ByDue);
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiters = [];
    private DateTimeOffset _origin;
    private TimeSpan _elapsed;
    private long _settings;

    /// <summary>Starts at 2030-01-01 00:00 UTC.</summary>
    public ManualTimeProvider()
        : this(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero)) { }

    public ManualTimeProvider(DateTimeOffset start)
    {
        _origin = start.ToUniversalTime();
    }

    /// <summary>Always UTC, so that no test depends on where it runs.</summary>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>Timestamps count steps of 100 ns since the start.</summary>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>How many timers are waiting.</summary>
    public int ScheduledTimers
    {
        get
        {
            lock (_gate)
                return _scheduled.Count;
        }
    }

    /// <summary>When the next timer fires; null if none is waiting.</summary>
    public DateTimeOffset? NextDue
    {
        get
        {
            lock (_gate)
                return _scheduled.Min is { } timer ? _origin + timer.Due : null;
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _origin + _elapsed;
    }

    public override long GetTimestamp()
    {
        lock (_gate)
            return _elapsed.Ticks;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Advances the clock and fires every timer that becomes due on the way, including those that a callback sets.</summary>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        lock (_advancing)
        {
            TimeSpan target;
            lock (_gate)
                target = _elapsed + by;
            while (TakeDue(target) is { } timer)
                timer.Fire();
        }
    }

    /// <summary>Advances the clock to an instant, which must not be in the past; see <see cref="Advance"/>.</summary>
    public void AdvanceTo(DateTimeOffset instant)
    {
        lock (_advancing)
            Advance(instant - GetUtcNow());
    }

    /// <summary>
    /// Sets the wall clock without letting time pass, as a correction by the system does, in either direction:
    /// no timer fires, none is due sooner or later for it, and timestamps stay.
    /// </summary>
    public void SetUtcNow(DateTimeOffset instant)
    {
        lock (_gate)
            _origin = instant.ToUniversalTime() - _elapsed;
    }

    /// <summary>Completes as soon as at least <paramref name="count"/> timers are waiting.</summary>
    public Task WaitForTimersAsync(int count, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_scheduled.Count >= count)
                return Task.CompletedTask;
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((count, reached));
            return reached.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>
    /// The next timer due at or before the target, with the clock set to its due time; else null, with the clock at the target.
    /// </summary>
    private ManualTimer? TakeDue(TimeSpan target)
    {
        lock (_gate)
        {
            var timer = _scheduled.Min;
            if (timer is null || timer.Due > target)
            {
                _elapsed = target;
                return null;
            }

            _scheduled.Remove(timer);
            _elapsed = timer.Due;
            if (timer.Period > TimeSpan.Zero)
                Schedule(timer, timer.Period);
            return timer;
        }
    }

    private void Schedule(ManualTimer timer, TimeSpan dueIn)
    {
        timer.Due = _elapsed + dueIn;
        timer.Order = ++_settings;
        _scheduled.Add(timer);
        for (var i = _waiters.Count - 1; i >= 0; i--)
        {
            if (_waiters[i].Count > _scheduled.Count)
                continue;
            _waiters[i].Reached.TrySetResult();
            _waiters.RemoveAt(i);
        }
    }

    private sealed class ManualTimer(ManualTimeProvider owner, TimerCallback callback, object? state) : ITimer
    {
        private bool _disposed;

        public static IComparer<ManualTimer> ByDue { get; } =
            Comparer<ManualTimer>.Create((a, b) => (a.Due, a.Order).CompareTo((b.Due, b.Order)));

        public TimeSpan Due { get; set; }

        public long Order { get; set; }

        public TimeSpan Period { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime != Timeout.InfiniteTimeSpan)
                ArgumentOutOfRangeException.ThrowIfLessThan(dueTime, TimeSpan.Zero);
            lock (owner._gate)
            {
                if (_disposed)
                    return false;
                owner._scheduled.Remove(this);
                Period = period;
                if (dueTime != Timeout.InfiniteTimeSpan)
                    owner.Schedule(this, dueTime);
                return true;
            }
        }

        public void Dispose()
        {
            lock (owner._gate)
            {
                _disposed = true;
                owner._scheduled.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
