namespace Lockstep.Ticks;

/// <summary>
/// How writers that wait for each other look for their turn: the longer one has waited, the shorter its pauses.
/// </summary>
internal static class TickTurn
{
    private const double LongestPauseMs = 25;

    /// <summary>
    /// How long to pause before the next look. After half a second of waiting that is less than a commit takes on a slow disk; after two
    /// there is a look each millisecond.
    /// </summary>
    public static TimeSpan Pause(TimeSpan waited) =>
        TimeSpan.FromMilliseconds(Math.Clamp(2000 / Math.Max(1, waited.TotalMilliseconds), 1, LongestPauseMs));
}
