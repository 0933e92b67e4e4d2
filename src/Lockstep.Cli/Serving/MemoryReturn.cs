namespace Lockstep.Cli.Serving;

/// <summary>
/// Gives the system back what a rush of clients has left: the runtime collects when it allocates, and a server that nobody asks anything
/// allocates nothing. It looks every two seconds, which costs nothing, and collects once after each rush.
/// </summary>
internal sealed class MemoryReturn : IAsyncDisposable
{
    /// <summary>What a server may keep without being asked for it, in bytes.</summary>
    private const long Kept = 96L << 20;

    /// <summary>So much was allocated since the last time, or there is nothing to gain; more after a time that gained little.</summary>
    private const long LeastRush = 8L << 20;

    /// <summary>Whoever allocates more than this between two looks is busy.</summary>
    private const long Quiet = 16L << 20;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _looking;

    /// <summary>Begins to look.</summary>
    /// <param name="time">The clock; null for the system's.</param>
    public MemoryReturn(TimeProvider? time = null) => _looking = LookAsync(time ?? TimeProvider.System);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _looking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task LookAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(Interval, time);
        long before = GC.GetTotalAllocatedBytes(),
            collected = before,
            rush = LeastRush;
        while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
        {
            var allocated = GC.GetTotalAllocatedBytes();
            var isQuiet = allocated - before < Quiet;
            before = allocated;
            var held = Environment.WorkingSet;
            if (!isQuiet || allocated - collected < rush || held < Kept)
                continue;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            rush = Environment.WorkingSet < held / 4 * 3 ? LeastRush : rush * 2;
            collected = GC.GetTotalAllocatedBytes();
        }
    }
}
