using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// Carries notifications out of a node's lock: queued under it, and delivered after it in the same order by whichever thread gets there
/// first.
/// </summary>
internal sealed class NotificationQueue
{
    private readonly Lock _gate = new();

    /// <summary>
    /// An applied <see cref="GossipUpdate"/>, the most frequent case, or an <see cref="Action{T}"/> of an observer. Lists of objects are
    /// precompiled with the framework; those of our own types are compiled in each new process.
    /// </summary>
    private List<object> _pending = [];
    private List<object> _taken = [];
    private volatile IGossipObserver[] _observers = [];
    private bool _delivering;

    /// <summary>Whether anybody listens; saves creating notifications that nobody receives.</summary>
    public bool Any => _observers.Length > 0;

    public IDisposable Subscribe(IGossipObserver observer)
    {
        lock (_gate)
        {
            _observers = [.. _observers, observer];
        }

        return new Subscription(this, observer);
    }

    public void Add(Action<IGossipObserver> notification) => Queue(notification);

    /// <summary>Queues the notification of an applied update.</summary>
    public void AddApplied(GossipUpdate update) => Queue(update);

    /// <summary>
    /// Delivers what is queued, unless another thread, or a caller further up the stack, is already delivering: that one continues.
    /// </summary>
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
                    Tell(notification);
                }

                _taken.Clear();
            }
        }
        catch
        {
            // An observer failed: the caller gets the exception, and later callers deliver the rest.
            lock (_gate)
            {
                _taken.Clear();
                _delivering = false;
            }

            throw;
        }
    }

    private void Queue(object notification)
    {
        lock (_gate)
        {
            _pending.Add(notification);
        }
    }

    /// <summary>Takes what is queued; if there is nothing, delivery is over.</summary>
    private bool TakeAll()
    {
        lock (_gate)
        {
            (_pending, _taken) = (_taken, _pending);
            _delivering = _taken.Count > 0;
            return _delivering;
        }
    }

    private void Tell(object notification)
    {
        foreach (var observer in _observers)
        {
            if (notification is GossipUpdate update)
            {
                observer.OnUpdate(update);
            }
            else
            {
                ((Action<IGossipObserver>)notification)(observer);
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
