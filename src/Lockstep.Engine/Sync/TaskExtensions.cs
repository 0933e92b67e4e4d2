namespace Lockstep.Engine.Sync;

internal static class TaskExtensions
{
    /// <summary>Waits for a task, for a limited time. False, without an exception, if it takes longer; the task continues.</summary>
    public static async Task<bool> CompletesWithinAsync(this Task task, TimeSpan limit, TimeProvider time)
    {
        if (task.IsCompleted)
            return true;
        using var cancel = new CancellationTokenSource();
        var first = await Task.WhenAny(task, Task.Delay(limit, time, cancel.Token)).ConfigureAwait(false);
        await cancel.CancelAsync().ConfigureAwait(false);
        return first == task;
    }
}
