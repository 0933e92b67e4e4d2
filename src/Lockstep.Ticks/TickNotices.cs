namespace Lockstep.Ticks;

/// <summary>
/// Pending notifications for a variable's observer. Added in the order of events, under the follower's lock; delivered outside it, because
/// an observer may ask for the status, or wait for another thread that does. All members may be called from any thread.
/// </summary>
internal sealed class TickNotices(ITickObserver? observer)
{
    private readonly Queue<Action<ITickObserver>> _waiting = new();
    private bool _telling;

    public void Add(Action<ITickObserver> notice)
    {
        if (observer is null)
            return;
        lock (_waiting)
            _waiting.Enqueue(notice);
    }

    /// <summary>
    /// Delivers pending notifications one after the other. A thread that arrives while another is delivering leaves them to it; otherwise a
    /// refresh could be reported before the staleness that it ended.
    /// </summary>
    public void Tell()
    {
        if (observer is null || !Begin())
            return;
        try
        {
            while (Next() is { } notice)
                notice(observer);
        }
        catch
        {
            lock (_waiting)
                _telling = false;
            throw;
        }
    }

    private bool Begin()
    {
        lock (_waiting)
        {
            if (_telling)
                return false;
            return _telling = true;
        }
    }

    private Action<ITickObserver>? Next()
    {
        lock (_waiting)
        {
            _telling = _waiting.TryDequeue(out var notice);
            return notice;
        }
    }
}
