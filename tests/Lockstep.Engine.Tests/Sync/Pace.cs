using Lockstep.Engine.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The clock of a sync, advanced by its server: time passes only when the sync has received what was sent and is idle.</summary>
/// <param name="time">The sync's clock.</param>
/// <param name="result">What the sync has done so far.</param>
internal sealed class Pace(ManualTimeProvider time, Func<SyncResult> result)
{
    /// <summary>In milliseconds: when to end a test whose clock nobody advances any more, because whoever should have has failed.</summary>
    public const int Limit = 120_000;

    /// <summary>The pause after which what has arrived is committed.</summary>
    public static readonly TimeSpan Commit = TimeSpan.FromMilliseconds(5);

    /// <summary>One for the reading half, which waits for bytes, and one for the consumer.</summary>
    private const int TimersAtRest = 2;

    private static readonly TimeSpan Step = Commit;

    public Pace(TableSync sync, ManualTimeProvider time)
        : this(time, () => sync.Result) { }

    /// <summary>Returns once the sync has read this many bytes in all, and processed them.</summary>
    public async Task ReceivedAsync(long bytes, int timers = TimersAtRest)
    {
        await Eventually.TrueAsync(() => result().Bytes >= bytes);
        await RestAsync(timers);
    }

    /// <summary>Returns once the sync has the head of an answer and waits for its body.</summary>
    public async Task ConnectedAsync()
    {
        await Eventually.TrueAsync(() => result().State.Phase is SyncPhase.Live or SyncPhase.Snapshot);
        await RestAsync(TimersAtRest);
    }

    /// <summary>Lets time pass, in steps that each let the sync do what it does by then.</summary>
    /// <param name="duration">How much.</param>
    /// <param name="step">For a long wait in which little happens: each step takes a loaded machine a while.</param>
    public async Task PassAsync(TimeSpan duration, TimeSpan? step = null)
    {
        for (var passed = TimeSpan.Zero; passed < duration; passed += step ?? Step)
        {
            time.Advance(step ?? Step);
            await RestAsync(TimersAtRest);
        }
    }

    /// <summary>Lets time pass until something has happened that the sync does once it has been idle long enough.</summary>
    public async Task PassUntilAsync(Task happens)
    {
        await Eventually.TrueAsync(async () =>
        {
            // Connecting takes as long as it takes, and must not be given up because a clock runs ahead of it.
            if (happens.IsCompleted || result().State.Phase == SyncPhase.Connecting)
                return happens.IsCompleted;
            time.Advance(Step);
            await Task.WhenAny(happens, RestAsync(TimersAtRest));
            return happens.IsCompleted;
        });
        await happens;
    }

    /// <summary>
    /// Lets time pass in large steps until something has happened, for waits that are much longer than the work between them. The sync must
    /// have no other timeouts.
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
