using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>What <see cref="RedisScripts.Commit"/> answers.</summary>
/// <param name="Word"><c>ok</c>, <c>late</c>, <c>again</c> or <c>wait</c>.</param>
/// <param name="Time">When the change was made, if it was.</param>
/// <param name="Place">Whose turn comes so many places later.</param>
internal readonly record struct RedisOutcome(string Word, DateTimeOffset Time = default, int Place = 0)
{
    /// <summary>More places wait no longer than the longest pause.</summary>
    private const int LastPlace = 1000;

    /// <summary>Reads an answer.</summary>
    /// <exception cref="FormatException">It is another's.</exception>
    public static RedisOutcome Of(RedisResult answer) =>
        (string?)answer[0] switch
        {
            "ok" => new RedisOutcome("ok", RedisSchedules.Time(answer[1])),
            "wait" => new RedisOutcome("wait", Place: Math.Clamp((int)answer[1], 0, LastPlace)),
            "late" => new RedisOutcome("late"),
            "again" => new RedisOutcome("again"),
            _ => throw new FormatException("it does not answer as a store does"),
        };
}
