using Lockstep.Engine;
using Lockstep.Engine.Sync;

namespace Lockstep.Sync;

/// <summary>
/// Runs several syncs at once. They work on the thread pool; their steps are handled one at a time on the pipeline thread, where output,
/// script blocks and progress belong, and no sync continues before its step has been handled.
/// </summary>
/// <param name="limit">How many run at the same time.</param>
internal sealed class ParallelSyncs(int limit)
{
    private readonly Queue<Waiting> _waiting = new();

    private sealed record Waiting(string Feed, TableSync Sync, SyncStepHandler Steps);

    private sealed class Running(Waiting what, CancellationToken stop)
    {
        private readonly IAsyncEnumerator<SyncStep> _steps = what.Sync.RunAsync(stop).GetAsyncEnumerator(stop);

        public Waiting What => what;

        public Task<bool> Next { get; private set; } = Task.FromResult(false);

        public void Advance() => Next = _steps.MoveNextAsync().AsTask();

        /// <summary>Handles the next step. False if there are no more.</summary>
        /// <remarks>Throws what the sync failed with.</remarks>
        public bool Take()
        {
            try
            {
                if (!Next.GetAwaiter().GetResult())
                    return false;

                what.Steps.Take(_steps.Current);
                return true;
            }
            catch (LockstepException error)
            {
                what.Steps.Health?.Fail(error.Message);
                throw;
            }
        }

        public void End()
        {
            // A sequence must not be disposed while it is being advanced.
            ((IAsyncResult)Next).AsyncWaitHandle.WaitOne();
            _ = Next.Exception;
            _steps.DisposeAsync().AsTask().GetAwaiter().GetResult();
            what.Steps.End();
        }
    }

    /// <summary>Adds a sync, to be run by <see cref="Run"/>.</summary>
    public void Add(string feed, TableSync sync, SyncStepHandler steps) => _waiting.Enqueue(new Waiting(feed, sync, steps));

    /// <summary>Runs all of them; on the pipeline thread.</summary>
    /// <param name="attempt">Runs an action for a feed, and reports its error; whatever ends the pipeline passes through.</param>
    /// <param name="ended">Called at the end of each, with its result and whether it failed.</param>
    /// <param name="stop">Ends all of them.</param>
    public void Run(Action<string, Action> attempt, Action<SyncResult, bool> ended, CancellationToken stop)
    {
        using var stopAll = CancellationTokenSource.CreateLinkedTokenSource(stop);
        List<Running> running = [];
        try
        {
            while (true)
            {
                while (running.Count < limit && _waiting.TryDequeue(out var next))
                {
                    Running started = new(next, stopAll.Token);
                    running.Add(started);
                    started.Advance();
                }

                if (running.Count == 0)
                    return;

                var ready = running[Task.WaitAny([.. running.Select(sync => sync.Next)], CancellationToken.None)];
                // Move it to the end of the queue, so that a busy feed does not keep the others waiting.
                running.Remove(ready);
                running.Add(ready);
                if (!TakeFrom(ready, attempt, out var failed))
                {
                    running.Remove(ready);
                    End(ready, ended, failed);
                }
            }
        }
        finally
        {
            stopAll.Cancel();
            foreach (var left in running)
                End(left, ended, failed: true);
        }
    }

    private static bool TakeFrom(Running sync, Action<string, Action> attempt, out bool failed)
    {
        var goesOn = false;
        var done = false;
        attempt(
            sync.What.Feed,
            () =>
            {
                goesOn = sync.Take();
                done = true;
            }
        );
        failed = !done;
        if (goesOn)
            sync.Advance();

        return goesOn;
    }

    private static void End(Running sync, Action<SyncResult, bool> ended, bool failed)
    {
        sync.End();
        ended(sync.What.Sync.Result.ToModel(), failed);
    }
}
