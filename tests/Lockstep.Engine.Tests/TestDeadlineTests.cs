using System.Reflection;
using Lockstep.Testing;
using Xunit.v3;

namespace Lockstep.Engine.Tests;

/// <summary>Every test has a deadline, whatever it waits for.</summary>
public sealed class TestDeadlineTests
{
    [Fact]
    public async Task A_test_that_runs_for_too_long_is_cancelled()
    {
        var test = Assert.IsType<IXunitTest>(TestContext.Current.Test, exactMatch: false);
        var deadline = new TestDeadlineAttribute { Limit = TimeSpan.Zero };
        var method = (MethodInfo)MethodBase.GetCurrentMethod()!;

        deadline.Before(method, test);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Task.Delay(Eventually.Deadline, TestContext.Current.CancellationToken)
        );
        deadline.After(method, test);
    }

    [Fact]
    public void It_applies_to_all_tests_of_an_assembly() =>
        Assert.NotNull(typeof(TestDeadlineTests).Assembly.GetCustomAttribute<TestDeadlineAttribute>());
}
