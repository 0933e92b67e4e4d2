using System.Runtime.CompilerServices;

namespace Lockstep.Testing;

/// <summary>
/// Waits for something that happens on its own: until a condition holds or the test is cancelled. A condition that never holds fails the
/// test instead of hanging it.
/// </summary>
public static class Eventually
{
    /// <summary>Long enough for a loaded machine, and shorter than the time after which a test run is killed as hung.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Returns once a condition holds.</summary>
    /// <param name="condition">Evaluated again and again.</param>
    /// <param name="what">What the failure says did not happen.</param>
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

    /// <summary>Returns once an attempt no longer fails in the expected way.</summary>
    /// <typeparam name="TException">What earlier attempts fail with.</typeparam>
    /// <param name="attempt">Made again and again.</param>
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
