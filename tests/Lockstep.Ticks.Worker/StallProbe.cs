namespace Lockstep.Ticks.Worker;

/// <summary>A plain timer beside the variables' own, which shows how late the machine ran timers when it was busy.</summary>
internal sealed class StallProbe : IDisposable
{
    private const int EveryMs = 10;
    private static readonly TimeSpan Noteworthy = TimeSpan.FromMilliseconds(40);
    private readonly List<Stall> _stalls = [];
    private readonly Timer _timer;
    private DateTimeOffset _last = DateTimeOffset.UtcNow;

    public StallProbe()
    {
        _timer = new Timer(_ => Look(), null, EveryMs, EveryMs);
    }

    public IReadOnlyList<Stall> Stalls
    {
        get
        {
            lock (_stalls)
                return [.. _stalls];
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        lock (_stalls)
        {
            var now = DateTimeOffset.UtcNow;
            if (now - _last > Noteworthy)
                _stalls.Add(new Stall(_last, now));
            _last = now;
        }
    }
}
