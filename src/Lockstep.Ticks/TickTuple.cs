using System.Text.Json;

namespace Lockstep.Ticks;

/// <summary>One entry of a variable's schedule: from <see cref="ActiveAt"/> on, <see cref="Json"/> is the variable's value.</summary>
/// <remarks>
/// Instants and ticks are whole milliseconds, so that every store keeps them exactly and every process counts the same boundaries.
/// </remarks>
public sealed record TickTuple
{
    /// <summary>The longest value, in UTF-16 units of its JSON text: every process holds every value in memory.</summary>
    public const int MaximumJsonLength = 1024 * 1024;

    /// <summary>The longest tick, 366 days; the shortest is a millisecond.</summary>
    public static readonly TimeSpan MaximumTick = TimeSpan.FromDays(366);

    /// <summary>Creates an entry and validates it.</summary>
    /// <param name="activeAt">When the value becomes active; a whole millisecond.</param>
    /// <param name="json">The value, one JSON text of at most <see cref="MaximumJsonLength"/> units.</param>
    /// <param name="tick">The distance of the boundaries counted from <paramref name="activeAt"/>; whole milliseconds, from one up to
    /// <see cref="MaximumTick"/>.</param>
    /// <param name="wishedAt">When the value was meant to become active, if that is not <paramref name="activeAt"/>; a whole
    /// millisecond.</param>
    /// <param name="group">
    /// Identifies the values of other variables that were set together with it; null for a value set on its own.
    /// </param>
    /// <exception cref="ArgumentException">A part is outside its range, or the text is not JSON.</exception>
    public TickTuple(DateTimeOffset activeAt, string json, TimeSpan tick, DateTimeOffset? wishedAt = null, string? group = null)
    {
        if (activeAt.Ticks % TimeSpan.TicksPerMillisecond != 0)
            throw new ArgumentException("The instant must be a whole millisecond.", nameof(activeAt));
        if (wishedAt is { } wish && wish.Ticks % TimeSpan.TicksPerMillisecond != 0)
            throw new ArgumentException("The instant must be a whole millisecond.", nameof(wishedAt));
        ActiveAt = activeAt.ToUniversalTime();
        Json = CheckJson(json);
        Tick = CheckTick(tick);
        WishedAt = wishedAt?.ToUniversalTime() ?? ActiveAt;
        Group = group;
    }

    /// <summary>When the value becomes active, in UTC.</summary>
    public DateTimeOffset ActiveAt { get; }

    /// <summary>The value as JSON text.</summary>
    public string Json { get; }

    /// <summary>The distance of the boundaries counted from <see cref="ActiveAt"/>.</summary>
    public TimeSpan Tick { get; }

    /// <summary>
    /// When the value was meant to become active, in UTC. While it is pending and the boundaries before it change, it moves to the first
    /// one from this instant on, not from where it was last moved.
    /// </summary>
    public DateTimeOffset WishedAt { get; }

    /// <summary>The same for all values that were set together, to switch at one boundary; null for a value set on its own.</summary>
    public string? Group { get; }

    /// <summary>The same value at another boundary.</summary>
    internal TickTuple MovedTo(DateTimeOffset activeAt) => new(activeAt, Json, Tick, WishedAt, Group);

    internal static TimeSpan CheckTick(TimeSpan tick) =>
        tick < TimeSpan.FromMilliseconds(1) || tick > MaximumTick || tick.Ticks % TimeSpan.TicksPerMillisecond != 0
            ? throw new ArgumentException(
                $"A tick is a whole number of milliseconds from 1 ms to {MaximumTick.TotalDays} days; {tick} is not.",
                nameof(tick)
            )
            : tick;

    internal static string CheckJson(string json)
    {
        if (json.Length > MaximumJsonLength)
        {
            throw new ArgumentException(
                $"A value may have at most {MaximumJsonLength} characters of JSON; this one has {json.Length}.",
                nameof(json)
            );
        }

        try
        {
            using var parsed = JsonDocument.Parse(json);
            return json;
        }
        catch (JsonException e)
        {
            throw new ArgumentException("The value is not one JSON text: " + e.Message, nameof(json), e);
        }
    }

    /// <summary>Names compare ordinally; they are 1 to 200 characters without control characters.</summary>
    internal static string CheckName(string name) =>
        name is not { Length: > 0 and <= 200 } || name.Any(char.IsControl)
            ? throw new ArgumentException("A variable's name has 1 to 200 characters and no control characters.", nameof(name))
            : name;
}
