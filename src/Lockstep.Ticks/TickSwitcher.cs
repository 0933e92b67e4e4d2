namespace Lockstep.Ticks;

/// <summary>
/// Switches a locker's variables at their instants, on its own thread. Timers run in the thread pool: a program that keeps the pool busy
/// for half a second would switch half a second late, and a process that has just lost its store is such a program. It only switches:
/// reading the store and notifying observers is left to the timers, which may be late.
/// </summary>
/// <param name="time">The clock. Waits use the system's.</param>
/// <param name="followers">Returns the followers to switch.</param>
internal sealed class TickSwitcher(TimeProvider time, Func<IReadOnlyList<TickFollower>> followers) : IDisposable
{
    /// <summary>It checks the clock at least this often, so that a clock change does not upset it.</summary>
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(1);

    private readonly object _gate = new();
    private bool _started;
    private bool _look;
    private bool _stopped;

    /// <summary>Makes it check the schedules again; the first call starts the thread.</summary>
    public void Look()
    {
        lock (_gate)
        {
            if (_stopped)
                return;
            _look = true;
            Monitor.Pulse(_gate);
            if (_started)
                return;
            _started = true;
        }

        new Thread(Run)
        {
            IsBackground = true,
            Name = "Lockstep variables",
            Priority = ThreadPriority.AboveNormal,
        }.Start();
    }

    /// <summary>Ends the thread after its current work.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.Pulse(_gate);
        }
    }

    private void Run()
    {
        while (WaitUntil(SwitchAll())) { }
    }

    /// <summary>Switches what is due.</summary>
    /// <returns>The next instant at which something is due; null if there is none.</returns>
    private DateTimeOffset? SwitchAll()
    {
        DateTimeOffset? next = null;
        foreach (var follower in followers())
        {
            if (follower.SwitchIfDue() is { } at && !(at >= next))
                next = at;
        }

        return next;
    }

    /// <summary>Waits for an instant, or until it must check earlier; false if it must stop.</summary>
    private bool WaitUntil(DateTimeOffset? instant)
    {
        lock (_gate)
        {
            var sleep = instant - time.GetUtcNow() is { } left && left < LongestSleep ? left : LongestSleep;

            // Waits count whole milliseconds, and would round down to a moment too early.
            if (!_look && !_stopped && sleep > TimeSpan.Zero)
                Monitor.Wait(_gate, (int)Math.Ceiling(sleep.TotalMilliseconds));
            _look = false;
            return !_stopped;
        }
    }
}
