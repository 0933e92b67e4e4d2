namespace Lockstep.Ticks;

/// <summary>
/// What a variable's observer is yet to be told. Added in the order in which it happened, under the follower's lock; told outside of it,
/// for an observer may ask for the status, or wait for another thread that does. All members may be called from any thread.
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
    /// Tells what waits, one thing after the other. A thread that comes while another one is telling leaves it to that one: a refresh could
    /// else be told before the staleness that it ended.
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
