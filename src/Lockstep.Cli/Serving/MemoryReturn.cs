namespace Lockstep.Cli.Serving;

/// <summary>
/// Returns the memory that clients have left behind. Once it is quiet, because the runtime collects only when it allocates, and an idle
/// server allocates nothing. And while thousands disconnect at once, because what they held has been promoted, and the runtime alone would
/// collect it only after everything allocated by the disconnects. Checking costs nothing, collections that gain little become rarer, and
/// they never take more than a fifth of the time.
/// </summary>
internal sealed class MemoryReturn : IAsyncDisposable
{
    /// <summary>What a server may keep without any collection, in bytes.</summary>
    private const long Kept = 96L << 20;

    /// <summary>The size above which it collects even while clients are active.</summary>
    private const long Much = 160L << 20;

    /// <summary>
    /// The least to have been allocated since the last collection; below that there is nothing to gain. Raised after a collection that
    /// gained little.
    /// </summary>
    private const long LeastRush = 8L << 20;

    /// <summary>A server that allocates more than this between two checks is busy.</summary>
    private const long Quiet = 2L << 20;

    /// <summary>After this many consecutive checks of an idle server, it counts as quiet.</summary>
    private const int QuietLooks = 8;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _looking;

    /// <summary>Starts checking.</summary>
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
            rush = LeastRush,
            ended = time.GetTimestamp();
        var took = TimeSpan.Zero;
        var quiet = 0;
        while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
        {
            var allocated = GC.GetTotalAllocatedBytes();
            quiet = allocated - before < Quiet ? quiet + 1 : 0;
            before = allocated;
            var held = Environment.WorkingSet;
            if (allocated - collected < rush || held < (quiet >= QuietLooks ? Kept : Much) || time.GetElapsedTime(ended) < 4 * took)
                continue;
            var begun = time.GetTimestamp();
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            rush = Environment.WorkingSet < held / 8 * 7 ? LeastRush : rush * 2;
            collected = GC.GetTotalAllocatedBytes();
            ended = time.GetTimestamp();
            took = time.GetElapsedTime(begun, ended);
        }
    }
}
