namespace Lockstep.Engine.Serving;

/// <summary>
/// Wakes everybody who waits, each time it is raised. Take <see cref="Next"/> before checking whether there is something to wait for.
/// Thread-safe.
/// </summary>
internal sealed class Signal
{
    private TaskCompletionSource _next = New();

    /// <summary>Done when it is raised next.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Raise() => Interlocked.Exchange(ref _next, New()).TrySetResult();

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
