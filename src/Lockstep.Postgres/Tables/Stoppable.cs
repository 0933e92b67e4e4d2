namespace Lockstep.Postgres.Tables;

/// <summary>
/// Runs work that cannot be interrupted while the database does not respond: a caller that is stopped does not wait for it (I10).
/// </summary>
internal static class Stoppable
{
    /// <summary>Runs work, and abandons it when stopped.</summary>
    /// <param name="work">The work; its result is disposed if nobody waits for it any more.</param>
    /// <param name="stop">Ends the waiting.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static T Run<T>(Func<T> work, CancellationToken stop)
    {
        if (!stop.CanBeCanceled)
            return work();
        var done = Task.Run(work, CancellationToken.None);
        try
        {
            return done.WaitAsync(stop).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            _ = done.ContinueWith(
                static ended =>
                {
                    if (ended.IsCompletedSuccessfully)
                        (ended.Result as IDisposable)?.Dispose();
                    else
                        _ = ended.Exception;
                },
                CancellationToken.None,
                TaskContinuationOptions.None,
                TaskScheduler.Default
            );
            throw;
        }
    }
}
