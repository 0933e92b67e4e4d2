namespace Lockstep.Gossip.Nodes;

/// <summary>Calls back once at an instant, which may be changed at any time. Set and disposed by one thread at a time.</summary>
internal sealed class DueTimer(TimeProvider time, Action due) : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);
    private ITimer? _timer;

    /// <summary>
    /// Sets the instant, replacing the last one. For an instant more than a day ahead the callback is called too early, and has to set it
    /// again.
    /// </summary>
    public void Set(DateTimeOffset at)
    {
        var wait = at - time.GetUtcNow();
        // Timers count whole milliseconds: round up rather than down.
        wait =
            wait < TimeSpan.Zero ? TimeSpan.Zero
            : wait > Longest ? Longest
            : wait + TimeSpan.FromMilliseconds(1);
        _timer ??= time.CreateTimer(static call => ((Action)call!)(), due, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer?.Dispose();
}
