namespace Lockstep.Serving.Hosting;

/// <summary>
/// Wakes all waiters each time it is raised. Thread-safe; waiters run on the pool rather than on the thread that raises it.
/// </summary>
internal sealed class Pulse
{
    private TaskCompletionSource _next = New();

    /// <summary>Completes when it is next raised. Take it before checking what it signals.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Raise() => Interlocked.Exchange(ref _next, New()).SetResult();

    /// <summary>Waits until a condition holds; checks it now and after each raise.</summary>
    public async Task WaitUntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        for (var next = Next; !condition(); next = Next)
            await next.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
