using System.Threading.Channels;

namespace Lockstep.Ticks;

/// <summary>
/// Follows one variable for a process: reads the store when <see cref="TickRefreshPlan"/> says so, switches at each tuple's instant, and
/// continues with the last known schedule when the store fails. One timer serves both; it checks the clock at least once a second, so that
/// a clock change does not upset it.
/// </summary>
internal sealed class TickFollower : IAsyncDisposable
{
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly ITickStore _store;
    private readonly Action _scheduleChanged;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stop = new();
    private readonly TickNotices _notices;
    private readonly TickAudience _audience;
    private readonly TickRefreshPlan _plan;

    private TickSchedule _schedule = new(TickSettings.Default.DefaultTick);
    private TickTuple? _active;
    private DateTimeOffset? _lastRefresh;
    private TimeSpan? _offset;
    private bool _skewed;
    private Exception? _lastError;
    private bool _staleNoticed;
    private Task? _refreshing;
    private TickStoreStamp _stamp;
    private bool _disposed;

    /// <param name="name">The variable.</param>
    /// <param name="store">The store.</param>
    /// <param name="options">The options.</param>
    /// <param name="lastStamp">The store that the process last knew; no other is accepted.</param>
    /// <param name="scheduleChanged">Called when the schedule has changed.</param>
    public TickFollower(string name, ITickStore store, TickLockerOptions options, TickStoreStamp lastStamp, Action scheduleChanged)
    {
        Name = name;
        _stamp = lastStamp;
        _store = store;
        _scheduleChanged = scheduleChanged;
        _time = options.TimeProvider;
        _notices = new TickNotices(options.Observer);
        _audience = new TickAudience(name, _notices);
        _plan = new TickRefreshPlan(options.Jitter);
        _timer = _time.CreateTimer(static state => ((TickFollower)state!).Pump(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Name { get; }

    public TickSchedule Schedule
    {
        get
        {
            lock (_gate)
                return _schedule;
        }
    }

    /// <summary>The store that the schedule is from.</summary>
    public TickStoreStamp Stamp
    {
        get
        {
            lock (_gate)
                return _stamp;
        }
    }

    public TickStatus Status
    {
        get
        {
            lock (_gate)
                return StatusAt(_time.GetUtcNow());
        }
    }

    /// <summary>Whether it has a schedule that the store contained at some time.</summary>
    public bool IsKnown { get; private set; }

    /// <summary>Reads the store for the first time; if that fails, uses the last known schedule, if there is one.</summary>
    /// <param name="lastKnown">The last known schedule; null for none.</param>
    /// <param name="mayStartEmpty">Whether it may start without a value if there is no schedule and the store cannot be read.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public async Task StartAsync(TickSchedule? lastKnown, bool mayStartEmpty, CancellationToken cancellationToken)
    {
        try
        {
            // The first read also connects.
            await ReadAsync(TickRefreshPlan.LongestReadLimit, cancellationToken).ConfigureAwait(false);
        }
        catch (TickException e) when (lastKnown is not null || mayStartEmpty)
        {
            lock (_gate)
            {
                _schedule = lastKnown ?? _schedule;
                IsKnown = lastKnown is not null;
            }

            Failed(e);
        }

        _ = Pump();
    }

    /// <summary>Accepts whatever store is there at the next read, which has started when this returns.</summary>
    public Task AdoptAsync()
    {
        lock (_gate)
        {
            _stamp = TickStoreStamp.Unknown;
            _plan.Hurry();
        }

        return Pump();
    }

    /// <summary>The store may have changed: read it soon, though not all processes at once.</summary>
    public void Hint()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            var now = _time.GetUtcNow();
            _plan.Hint(_schedule, now);
            SwitchAndArm(now);
        }
    }

    public void Attach(ITickView view)
    {
        lock (_gate)
            _audience.Attach(view, _active);
        _notices.Tell();
    }

    public void AddWatcher(ChannelWriter<TickActivation> watcher)
    {
        lock (_gate)
            _audience.Add(watcher);
    }

    public void RemoveWatcher(ChannelWriter<TickActivation> watcher)
    {
        lock (_gate)
            _audience.Remove(watcher);
    }

    /// <summary>Catches up with the clock: switches, and reads the store if that is due.</summary>
    /// <returns>The read in progress; completed if there is none.</returns>
    public Task Pump()
    {
        TaskCompletionSource? started = null;
        Task refresh;
        lock (_gate)
        {
            if (_disposed)
                return Task.CompletedTask;
            var now = _time.GetUtcNow();
            NoticeStaleness(now);

            if (now >= _plan.DueAt && _refreshing is null)
            {
                started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _refreshing = started.Task;
            }

            refresh = _refreshing ?? Task.CompletedTask;
            SwitchAndArm(now);
        }

        _notices.Tell();
        if (started is not null)
            _ = RefreshAsync(started);
        return refresh;
    }

    /// <summary>
    /// Only switches, if that is due: observers are notified with the next <see cref="Pump"/>, which the timer runs for the same instant.
    /// </summary>
    /// <returns>When the next switch is due; null if there is none.</returns>
    public DateTimeOffset? SwitchIfDue()
    {
        lock (_gate)
        {
            if (_disposed)
                return null;
            var now = _time.GetUtcNow();
            NoticeStaleness(now);
            Switch(now);
            return _schedule.NextAfter(now)?.ActiveAt;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task? refreshing;
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            refreshing = _refreshing;
            _audience.Complete();
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _timer.DisposeAsync().ConfigureAwait(false);
        if (refreshing is not null)
            await refreshing.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task RefreshAsync(TaskCompletionSource done)
    {
        try
        {
            await ReadAsync(TickRefreshPlan.ReadLimit(_schedule, _time.GetUtcNow()), _stop.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Whatever went wrong, a follower that stopped trying would be worse.
            if (!_stop.IsCancellationRequested)
                Failed(e);
        }

        lock (_gate)
        {
            _refreshing = null;
            if (!_disposed)
                SwitchAndArm(_time.GetUtcNow());
        }

        _notices.Tell();
        done.SetResult();
    }

    private async Task ReadAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var begun = _time.GetUtcNow();
        var stamp = _time.GetTimestamp();
        try
        {
            // A driver may take long to notice that it was cancelled, or never notice: it asks the unresponsive server to cancel, and waits
            // for that. A read must not hold up the next one beyond its time.
            var reading = await _store.ReadAsync(Name, either.Token).WaitAsync(either.Token).ConfigureAwait(false);
            Accept(reading, begun, _time.GetElapsedTime(stamp));
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TickStoreUnavailableException(
                _store.Description,
                $"it did not answer within {limit.TotalMilliseconds} ms",
                outcomeUnknown: false,
                e
            );
        }
    }

    private void Accept(TickReading reading, DateTimeOffset begun, TimeSpan took)
    {
        bool changed;
        lock (_gate)
        {
            // A read that was due before a boundary and started after it does not change the fact that the boundary was missed.
            if (_lastRefresh is not null)
                NoticeStaleness(begun);
            _stamp.RequireSuccessor(reading.Stamp, _store.Description);
            if (reading.Stamp.Identity is not null)
                _stamp = reading.Stamp;
            changed = !reading.Schedule.Equals(_schedule);
            _schedule = reading.Schedule;
            IsKnown = true;
            _lastRefresh = begun;
            _lastError = null;
            _offset = reading.StoreTime - (begun + (took / 2));
            _skewed = _offset.Value.Duration() - (took / 2) > reading.Settings.Skew(_schedule.TickAt(begun));
            _plan.Succeeded(_schedule, begun);

            var now = _time.GetUtcNow();
            _staleNoticed = false;
            Switch(now);
            var status = StatusAt(now);
            _notices.Add(observer => observer.OnRefreshed(status));
            if (_skewed)
                _notices.Add(observer => observer.OnSkewed(status));
        }

        if (changed)
            _scheduleChanged();
        _notices.Tell();
    }

    private void Failed(Exception error)
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            _lastError = error;
            _plan.Failed(_schedule, now);
            var status = StatusAt(now);
            _notices.Add(observer => observer.OnRefreshFailed(status));
        }

        _notices.Tell();
    }

    private void NoticeStaleness(DateTimeOffset now)
    {
        if (now < _plan.Uncovered || _staleNoticed)
            return;
        _staleNoticed = true;
        var status = StatusAt(now);
        _notices.Add(observer => observer.OnStale(status));
    }

    private void Switch(DateTimeOffset now)
    {
        var active = _schedule.ActiveAt(now);
        if (active == _active)
            return;
        _active = active;
        _audience.Publish(active);
        _audience.Tell(new TickActivation(Name, active, now, StatusAt(now)));
    }

    /// <summary>
    /// Does what is due and sets the timer for what is next: a switch, a refresh, or a clock check. All use one reading of the clock: a
    /// switch that fell due between two readings would be neither done nor waited for.
    /// </summary>
    private void SwitchAndArm(DateTimeOffset now)
    {
        Switch(now);
        var sleep = LongestSleep;
        if (_schedule.NextAfter(now) is { } next && next.ActiveAt - now < sleep)
            sleep = next.ActiveAt - now;
        if (_refreshing is null && _plan.DueAt - now < sleep)
            sleep = _plan.DueAt - now;
        if (!_staleNoticed && _plan.Uncovered - now < sleep)
            sleep = _plan.Uncovered - now;

        // Timers count whole milliseconds, and would round down to a moment too early.
        _timer.Change(TimeSpan.FromMilliseconds(Math.Max(0, Math.Ceiling(sleep.TotalMilliseconds))), Timeout.InfiniteTimeSpan);
    }

    private TickStatus StatusAt(DateTimeOffset now) =>
        new()
        {
            Variable = Name,
            Schedule = _schedule,
            Active = _active,
            LastRefresh = _lastRefresh,
            Age = now - _lastRefresh,
            StaleSince = now >= _plan.Uncovered ? _plan.Uncovered : null,
            ClockOffset = _offset,
            IsSkewed = _skewed,
            LastError = _lastError,
        };
}
