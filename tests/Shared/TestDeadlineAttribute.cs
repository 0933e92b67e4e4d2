using System.Collections.Concurrent;
using System.Reflection;
using Xunit.v3;

[assembly: Lockstep.Testing.TestDeadline]

namespace Lockstep.Testing;

/// <summary>
/// Cancels a test that has run for too long: whatever waits with the test's token fails by name, instead of hanging the run until the
/// runner kills it without a name.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class TestDeadlineAttribute : BeforeAfterTestAttribute
{
    private readonly ConcurrentDictionary<string, Timer> _timers = new();

    /// <summary>Shorter than the time after which the runner considers the run hung, and longer than any test takes.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(9);

    /// <inheritdoc/>
    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        var context = TestContext.Current;
        _timers[test.UniqueID] = new Timer(_ => context.CancelCurrentTest(), null, Limit, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (_timers.TryRemove(test.UniqueID, out var timer))
            timer.Dispose();
    }
}
