using System.Globalization;
using Lockstep.Ticks;
using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>What was read from a store: settings and stamp, and for each variable its values and how often it was changed.</summary>
/// <param name="Readings">What was read about each variable.</param>
/// <param name="Revisions">How often each was changed, as the server counts it.</param>
/// <param name="ServerTime">The server's clock, whatever the store's is.</param>
internal sealed record RedisState(TickReading[] Readings, string[] Revisions, DateTimeOffset ServerTime);

/// <summary>How schedules and audits are stored in Redis; see <see cref="RedisScripts"/>.</summary>
internal static class RedisSchedules
{
    /// <summary>
    /// How stores are laid out in Redis. Any addition that an earlier Lockstep would lose or misread is a new format, which that version
    /// refuses.
    /// </summary>
    public const int Format = 1;

    private const string Revision = "rev";
    private const string None = "-";

    /// <summary>The fields of a new store.</summary>
    public static RedisValue[] NewStore(TickSettings settings) =>
        [
            "format",
            Format,
            "identity",
            Guid.NewGuid().ToString("N"),
            "version",
            0,
            "default_tick_ms",
            Milliseconds(settings.DefaultTick),
            "skew_bound_ms",
            settings.SkewBound is { } skew ? Milliseconds(skew) : None,
            "latency_ms",
            Milliseconds(settings.Latency),
        ];

    /// <summary>The answer of <see cref="RedisScripts.Read"/>; null if there is no store.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="description">The store, for messages.</param>
    /// <exception cref="FormatException">Something else is stored there.</exception>
    /// <exception cref="TickStoreFormatException">A newer Lockstep created it.</exception>
    public static RedisState? Read(RedisResult answer, string description)
    {
        var store = Fields(answer[0]);
        if (store.Count == 0)
            return null;
        try
        {
            TickStoreFormatException.Require(description, Number(store["format"]), Format);
            var settings = new TickSettings(
                Span(store["default_tick_ms"]),
                store["skew_bound_ms"] == None ? null : Span(store["skew_bound_ms"]),
                Span(store["latency_ms"])
            );
            var stamp = new TickStoreStamp(store["identity"], Number(store["version"]), store.GetValueOrDefault("marks"));
            var time = Time(answer[1]);
            var variables = Enumerable.Range(0, answer[2].Length).Select(i => Fields(answer[2][i])).ToList();
            return new RedisState(
                [
                    .. variables.Select(fields => new TickReading(
                        new TickSchedule(
                            settings.DefaultTick,
                            fields.Where(field => field.Key != Revision).Select(field => Tuple(field.Key, field.Value))
                        ),
                        settings,
                        time
                    )
                    {
                        Stamp = stamp,
                    }),
                ],
                [.. variables.Select(fields => fields.GetValueOrDefault(Revision, "0"))],
                time
            );
        }
        catch (Exception e) when (e is KeyNotFoundException or ArgumentException or OverflowException or FormatException)
        {
            throw new FormatException("its prefix holds something else", e);
        }
    }

    /// <summary>The server's clock, as TIME answers.</summary>
    public static DateTimeOffset Time(RedisResult answer) =>
        DateTimeOffset.UnixEpoch.AddTicks(
            checked(((long)answer[0] * TimeSpan.TicksPerSecond) + ((long)answer[1] * TimeSpan.TicksPerMicrosecond))
        );

    /// <summary>A value, without its instant.</summary>
    public static string Text(TickTuple tuple) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Milliseconds(tuple.Tick)} {(tuple.WishedAt == tuple.ActiveAt ? None : Milliseconds(tuple.WishedAt))} "
                + $"{tuple.Group ?? None} {tuple.Json}"
        );

    /// <summary>A line of an audit stream.</summary>
    public static TickAuditEntry Audit(string variable, StreamEntry entry)
    {
        var fields = entry.Values.ToDictionary(field => (string)field.Name!, field => (string)field.Value!, StringComparer.Ordinal);
        return new TickAuditEntry(
            Guid.Parse(fields["change"]),
            Instant(fields["at"]),
            fields["who"],
            variable,
            new TickOperation(
                Enum.Parse<TickAction>(fields["action"]),
                new TickTuple(Instant(fields["active_at"]), fields["value"], Span(fields["tick_ms"])),
                fields["moved_from"] == None ? null : Instant(fields["moved_from"])
            )
        );
    }

    /// <summary>An instant as stored in Redis; null is stored as a placeholder.</summary>
    public static string Milliseconds(DateTimeOffset? instant) =>
        instant?.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture) ?? None;

    public static string Milliseconds(TimeSpan span) => ((long)span.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);

    private static TickTuple Tuple(string instant, string text)
    {
        var parts = text.Split(' ', 4);
        return parts.Length == 4
            ? new TickTuple(
                Instant(instant),
                parts[3],
                Span(parts[0]),
                parts[1] == None ? null : Instant(parts[1]),
                parts[2] == None ? null : parts[2]
            )
            : throw new FormatException("its prefix holds something else");
    }

    private static Dictionary<string, string> Fields(RedisResult flat)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i + 1 < flat.Length; i += 2)
            fields[(string)flat[i]!] = (string)flat[i + 1]!;
        return fields;
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static TimeSpan Span(string text) => TimeSpan.FromMilliseconds(Number(text));

    private static DateTimeOffset Instant(string text) => DateTimeOffset.FromUnixTimeMilliseconds(Number(text));
}
