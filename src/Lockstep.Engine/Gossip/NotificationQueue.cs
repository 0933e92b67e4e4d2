namespace Lockstep.Engine.Gossip;

/// <summary>Carries notifications out of a node's lock: queued under it, delivered after it in the same order by whichever thread comes first.</summary>
internal sealed class NotificationQueue
{
    private readonly Lock _gate = new();
    private readonly Queue<Action<IGossipObserver>> _pending = new();
    private volatile IGossipObserver[] _observers = [];
    private bool _delivering;

    /// <summary>Whether anyone listens; saves making what nobody hears.</summary>
    public bool Any => _observers.Length > 0;

    public IDisposable Subscribe(IGossipObserver observer)
    {
        lock (_gate)
        {
            _observers = [.. _observers, observer];
        }

        return new Subscription(this, observer);
    }

    public void Add(Action<IGossipObserver> notification)
    {
        lock (_gate)
        {
            _pending.Enqueue(notification);
        }
    }

    /// <summary>Delivers what is queued, unless another thread, or a caller further up on this one, is at it: that one delivers it.</summary>
    public void Deliver()
    {
        if (!Any)
        {
            return;
        }

        lock (_gate)
        {
            if (_delivering)
            {
                return;
            }

            _delivering = true;
        }

        while (true)
        {
            Action<IGossipObserver>? next;
            lock (_gate)
            {
                if (!_pending.TryDequeue(out next))
                {
                    _delivering = false;
                    return;
                }
            }

            foreach (var observer in _observers)
            {
                try
                {
                    next(observer);
                }
                catch
                {
                    lock (_gate)
                    {
                        _delivering = false;
                    }

                    throw;
                }
            }
        }
    }

    private sealed class Subscription(NotificationQueue queue, IGossipObserver observer) : IDisposable
    {
        public void Dispose()
        {
            lock (queue._gate)
            {
                queue._observers = [.. queue._observers.Where(other => !ReferenceEquals(other, observer))];
            }
        }
    }
}
