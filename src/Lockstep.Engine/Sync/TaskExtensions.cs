namespace Lockstep.Engine.Sync;

internal static class TaskExtensions
{
    /// <summary>Waits for a task at most so long, without an exception when it takes longer; the task goes on.</summary>
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
