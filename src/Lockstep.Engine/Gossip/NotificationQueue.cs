namespace Lockstep.Engine.Gossip;

/// <summary>Carries notifications out of a node's lock: queued under it, delivered after it in the same order by whichever thread comes first.</summary>
internal sealed class NotificationQueue
{
    private readonly Lock _gate = new();
    private List<Notification> _pending = [];
    private List<Notification> _taken = [];
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

    public void Add(Action<IGossipObserver> notification) => Add(new Notification(null, notification));

    /// <summary>The most frequent of all, without an object for each.</summary>
    public void AddApplied(GossipUpdate update) => Add(new Notification(update, null));

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

        try
        {
            while (TakeAll())
            {
                foreach (var notification in _taken)
                {
                    notification.Tell(_observers);
                }

                _taken.Clear();
            }
        }
        catch
        {
            // An observer failed: the caller hears of it, and those who come later are told of the rest.
            lock (_gate)
            {
                _taken.Clear();
                _delivering = false;
            }

            throw;
        }
    }

    private void Add(Notification notification)
    {
        lock (_gate)
        {
            _pending.Add(notification);
        }
    }

    /// <summary>Takes what is queued; with nothing there, delivering is over.</summary>
    private bool TakeAll()
    {
        lock (_gate)
        {
            (_pending, _taken) = (_taken, _pending);
            _delivering = _taken.Count > 0;
            return _delivering;
        }
    }

    private readonly record struct Notification(GossipUpdate? Applied, Action<IGossipObserver>? Other)
    {
        public void Tell(IGossipObserver[] observers)
        {
            foreach (var observer in observers)
            {
                if (Applied is not null)
                {
                    observer.OnUpdate(Applied);
                }
                else
                {
                    Other!(observer);
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
