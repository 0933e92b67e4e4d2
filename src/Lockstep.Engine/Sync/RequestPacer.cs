using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Sync;

/// <summary>
/// When a sync may send requests: no sooner after the last one than the shortest wait, after the wait that a failure demands, and only
/// within the time to follow. One thread at a time.
/// </summary>
internal sealed class RequestPacer(SyncOptions options, SyncStatus status, SyncEvents events, TimeProvider time)
{
    private long _lastRequest;

    /// <summary>What is left of the time to follow; null if it is unlimited.</summary>
    private TimeSpan? Left => options.FollowFor is { } limit ? limit - time.GetElapsedTime(status.Start) : null;

    /// <summary>Keeps the shortest wait between requests, even those that are not retries.</summary>
    public async Task KeepDistanceAsync(CancellationToken cancellationToken)
    {
        if (_lastRequest != 0 && RetryPolicy.Shortest - time.GetElapsedTime(_lastRequest) is var left && left > TimeSpan.Zero)
            await Task.Delay(left, time, cancellationToken).ConfigureAwait(false);
        _lastRequest = time.GetTimestamp();
    }

    /// <summary>Waits before another attempt, but no longer than the time to follow; false when that is over.</summary>
    /// <param name="wait">How long.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <param name="note">What else to report about the wait.</param>
    public async Task<bool> BackOffAsync(TimeSpan wait, CancellationToken cancellationToken, string? note = null)
    {
        if (Left is { } left && left <= wait)
        {
            if (left > TimeSpan.Zero)
                await Task.Delay(left, time, cancellationToken).ConfigureAwait(false);
            status.EndsFor(SyncEndReason.TimeElapsed);
            return false;
        }

        if (wait > TimeSpan.Zero)
        {
            await events.PostWaitAsync(wait, note, isWell: status.Phase == SyncPhase.Waiting, cancellationToken).ConfigureAwait(false);
            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Runs work within the time to follow.</summary>
    /// <param name="work">The work; its token is cancelled when the time is over.</param>
    /// <param name="whenOver">The result if the time is over.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<T> WithinTimeAsync<T>(
        Func<CancellationToken, Task<T>> work,
        Func<Task<T>> whenOver,
        CancellationToken cancellationToken
    )
    {
        if (Left is not { } left)
            return await work(cancellationToken).ConfigureAwait(false);
        if (left <= TimeSpan.Zero)
            return await whenOver().ConfigureAwait(false);
        using var deadline = new CancellationTokenSource(left, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        try
        {
            return await work(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return await whenOver().ConfigureAwait(false);
        }
    }
}
