namespace Lockstep.Serving.Hosting;

/// <summary>
/// Wakes everybody who waits, each time it is raised. Thread-safe; waiters are woken on the pool and not by the thread that raises it.
/// </summary>
internal sealed class Pulse
{
    private TaskCompletionSource _next = New();

    /// <summary>Completes when it is raised next. Take it before checking what it signals.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Raise() => Interlocked.Exchange(ref _next, New()).SetResult();

    /// <summary>Waits until a condition holds; checks it once now and once after each raise.</summary>
    public async Task WaitUntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        for (var next = Next; !condition(); next = Next)
            await next.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
