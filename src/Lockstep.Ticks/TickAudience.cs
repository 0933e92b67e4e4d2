using System.Text.Json;
using System.Threading.Channels;

namespace Lockstep.Ticks;

/// <summary>
/// All that are notified when a variable switches: the views that hold its value, the watchers, and the observer. Not thread-safe.
/// </summary>
/// <param name="variable">The variable's name.</param>
/// <param name="notices">Notifications for the observer, delivered once no lock is held any more.</param>
internal sealed class TickAudience(string variable, TickNotices notices)
{
    private readonly List<ITickView> _views = [];
    private readonly List<ChannelWriter<TickActivation>> _watchers = [];

    /// <summary>Adds a view, which receives the active tuple at once.</summary>
    public void Attach(ITickView view, TickTuple? active)
    {
        _views.Add(view);
        Publish(view, active);
    }

    public void Add(ChannelWriter<TickActivation> watcher) => _watchers.Add(watcher);

    public void Remove(ChannelWriter<TickActivation> watcher) => _watchers.Remove(watcher);

    /// <summary>Passes a tuple that has just become active to the views. Watchers that are notified later find them switched.</summary>
    public void Publish(TickTuple? active)
    {
        foreach (var view in _views)
            Publish(view, active);
    }

    /// <summary>Notifies the watchers and the observer.</summary>
    public void Tell(TickActivation activation)
    {
        foreach (var watcher in _watchers)
            watcher.TryWrite(activation);
        notices.Add(observer => observer.OnActivated(activation));
    }

    /// <summary>Ends the watchers' channels.</summary>
    public void Complete()
    {
        foreach (var watcher in _watchers)
            watcher.TryComplete();
    }

    private void Publish(ITickView view, TickTuple? tuple)
    {
        try
        {
            view.Publish(tuple);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            notices.Add(observer => observer.OnUnreadable(variable, tuple!, e));
        }
    }
}
