using Lockstep.Engine.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The clock of a sync, moved by whoever serves it: time passes only when the sync has what was sent and rests.</summary>
/// <param name="time">The sync's clock.</param>
/// <param name="result">What has come of the sync so far.</param>
internal sealed class Pace(ManualTimeProvider time, Func<SyncResult> result)
{
    /// <summary>In milliseconds: when a test is over whose clock nobody moves any more, since whoever should have failed.</summary>
    public const int Limit = 120_000;

    /// <summary>The pause after which what has come is committed.</summary>
    public static readonly TimeSpan Commit = TimeSpan.FromMilliseconds(5);

    /// <summary>One for the reading half, which waits for bytes, and one for whoever pulls.</summary>
    private const int TimersAtRest = 2;

    private static readonly TimeSpan Step = Commit;

    public Pace(TableSync sync, ManualTimeProvider time)
        : this(time, () => sync.Result) { }

    /// <summary>Returns when the sync has read so many bytes in all, and has done with them.</summary>
    public async Task ReceivedAsync(long bytes, int timers = TimersAtRest)
    {
        await Eventually.TrueAsync(() => result().Bytes >= bytes);
        await RestAsync(timers);
    }

    /// <summary>Returns when the sync has the head of an answer and waits for its body.</summary>
    public async Task ConnectedAsync()
    {
        await Eventually.TrueAsync(() => result().State.Phase is SyncPhase.Live or SyncPhase.Snapshot);
        await RestAsync(TimersAtRest);
    }

    /// <summary>Lets time pass, in steps that each let the sync do what it does by then.</summary>
    public async Task PassAsync(TimeSpan duration)
    {
        for (var passed = TimeSpan.Zero; passed < duration; passed += Step)
        {
            time.Advance(Step);
            await RestAsync(TimersAtRest);
        }
    }

    /// <summary>Lets time pass until something has happened, which the sync does when it has rested long enough.</summary>
    public async Task PassUntilAsync(Task happens)
    {
        await Eventually.TrueAsync(async () =>
        {
            // Connecting takes what it takes, and is not to be given up for a clock that runs ahead of it.
            if (happens.IsCompleted || result().State.Phase == SyncPhase.Connecting)
                return happens.IsCompleted;
            time.Advance(Step);
            await Task.WhenAny(happens, RestAsync(TimersAtRest));
            return happens.IsCompleted;
        });
        await happens;
    }

    /// <summary>
    /// Lets time pass in large steps until something has happened, for waits that are much longer than what is done between them. The sync
    /// must have no other timeouts.
    /// </summary>
    public static Task MoveAsync(ManualTimeProvider time, TimeSpan step, Task until) =>
        Eventually.TrueAsync(() =>
        {
            if (!until.IsCompleted)
                time.Advance(step);
            return until.IsCompleted;
        });

    private Task RestAsync(int timers) =>
        time.WaitForTimersAsync(timers, TestContext.Current.CancellationToken).WaitAsync(Eventually.Deadline);
}
