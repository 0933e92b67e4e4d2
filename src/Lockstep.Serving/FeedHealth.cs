using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>
/// Whether a feed can be read now, determined by reading from its origin. However many ask, there is one read at a time. Thread-safe.
/// </summary>
internal sealed class FeedHealth(IFeedSource source, TimeProvider time, CancellationToken stopping)
{
    /// <summary>How long a read may take.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private Task<bool>? _check;

    /// <summary>Whether the feed can be read; throws only on cancellation.</summary>
    public Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_check is null or { IsCompleted: true })
                _check = Task.Run(CheckAsync, CancellationToken.None);
            return _check.WaitAsync(cancellationToken);
        }
    }

    private async Task<bool> CheckAsync()
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        try
        {
            await source.CheckAsync(late.Token).WaitAsync(Timeout, time, stopping).ConfigureAwait(false);
            return true;
        }
#pragma warning disable CA1031 // Whatever the error, the feed cannot be read; its clients' reads report the reason.
        catch
#pragma warning restore CA1031
        {
            return false;
        }
        finally
        {
            await late.CancelAsync().ConfigureAwait(false);
        }
    }
}
