using System.Globalization;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// The text that names a feed, and with it what its cursors mean: server, database, what the table is like, and how it is read.
/// </summary>
internal static class FeedIdentity
{
    public static string Format(string server, string fingerprint, string mode) => $"{server}-{fingerprint}.{mode}";

    /// <summary>What of an identity tells what the table is like; null when it is none of a table.</summary>
    public static string? FingerprintOf(string identity)
    {
        var (start, end) = Bounds(identity);
        return end < 0 ? null : identity[start..end];
    }

    /// <summary>An identity with another fingerprint.</summary>
    public static string With(string identity, string fingerprint)
    {
        var (start, end) = Bounds(identity);
        return string.Concat(identity.AsSpan(0, start), fingerprint, identity.AsSpan(end));
    }

    /// <summary>The timeline of the server that an identity is of; null when it is none of a table.</summary>
    public static long? TimelineOf(string identity) =>
        Server(identity) is [_, var timeline, _] && long.TryParse(timeline, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>An identity with another timeline.</summary>
    public static string OnTimeline(string identity, long timeline)
    {
        if (Server(identity) is not [var system, _, var database])
            return identity;
        var rest = identity[identity.IndexOf('-', StringComparison.Ordinal)..];
        return string.Create(CultureInfo.InvariantCulture, $"{system}.{timeline}.{database}{rest}");
    }

    private static string[] Server(string identity) => identity.Split('-')[0].Split('.');

    private static (int Start, int End) Bounds(string identity)
    {
        var start = identity.LastIndexOf('-') + 1;
        return (start, identity.LastIndexOf('.') is var end && end > start ? end : -1);
    }
}
