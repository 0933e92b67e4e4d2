namespace Lockstep.Gossip;

public abstract partial class GossipNode
{
    private readonly NotificationQueue _notifications = new();

    /// <summary>Has an observer told of what happens from now on, until the result is disposed.</summary>
    public IDisposable Subscribe(IGossipObserver observer)
    {
        ArgumentNullException.ThrowIfNull(observer);
        return _notifications.Subscribe(observer);
    }

    private protected void Notify(Action<IGossipObserver> notification)
    {
        if (_notifications.Any)
        {
            _notifications.Add(notification);
        }
    }

    private protected bool HasObservers => _notifications.Any;

    internal void Notify(GossipSession? session, Action<GossipStream?, IGossipObserver> notification) =>
        Notify(observer => notification(session?.Owner, observer));

    internal void Deliver() => _notifications.Deliver();
}
