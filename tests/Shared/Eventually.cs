using System.Runtime.CompilerServices;

namespace Lockstep.Testing;

/// <summary>
/// Waits for what comes of itself: until a condition holds or the test is cancelled. One that never holds fails the test instead of hanging
/// it.
/// </summary>
public static class Eventually
{
    /// <summary>Long enough for what a loaded machine takes its time for, and shorter than what ends a test run as hung.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Returns when a condition holds.</summary>
    /// <param name="condition">Is asked again and again.</param>
    /// <param name="what">What the failure says did not come about.</param>
    public static Task TrueAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        TrueAsync(() => Task.FromResult(condition()), what);

    /// <inheritdoc cref="TrueAsync(Func{bool}, string)"/>
    public static async Task TrueAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        var begun = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(
                TimeProvider.System.GetElapsedTime(begun) < Deadline,
                $"Within {Deadline.TotalSeconds} s it never came about: {what}"
            );
            await Task.Delay(Pause, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Returns when an attempt does not fail in the expected way any more.</summary>
    /// <typeparam name="TException">What the attempts before fail with.</typeparam>
    /// <param name="attempt">Is made again and again.</param>
    /// <param name="what">What the failure says did not succeed.</param>
    public static Task WithoutAsync<TException>(Func<Task> attempt, [CallerArgumentExpression(nameof(attempt))] string what = "")
        where TException : Exception =>
        TrueAsync(
            async () =>
            {
                try
                {
                    await attempt();
                    return true;
                }
                catch (TException)
                {
                    return false;
                }
            },
            what
        );
}
