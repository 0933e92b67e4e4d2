using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// The text that identifies a feed, and with it the meaning of its cursors: the server, the database, the table's facts, and how the table
/// is read.
/// </summary>
internal static class FeedIdentity
{
    private const string View = ".view_";

    public static string Format(string server, string fingerprint, string mode) => $"{server}-{fingerprint}.{mode}";

    /// <summary>The identity of a view.</summary>
    /// <param name="log">The server and its timeline.</param>
    /// <param name="key">The key that distinguishes its rows.</param>
    /// <param name="name">Identifies the process that compares them.</param>
    public static string OfView(string log, IReadOnlyList<string> key, string name)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', key)));
        return Format(log, Convert.ToHexStringLower(digest.AsSpan(0, 8)), View[1..] + name);
    }

    /// <summary>The identity of the same view under another name.</summary>
    public static string OfView(string identity, string name) =>
        identity[..(identity.LastIndexOf(View, StringComparison.Ordinal) + View.Length)] + name;

    /// <summary>Whether two identities are of the same view, whose rows another process may compare.</summary>
    public static bool IsSameView(string one, string other) =>
        one.LastIndexOf(View, StringComparison.Ordinal) is var end and > 0
        && other.AsSpan().StartsWith(one.AsSpan(0, end + View.Length), StringComparison.Ordinal);

    /// <summary>The part of an identity that describes the table; null if the identity is not a table's.</summary>
    public static string? FingerprintOf(string identity)
    {
        var (start, end) = Bounds(identity);
        return end < 0 ? null : identity[start..end];
    }

    /// <summary>The identity with another fingerprint.</summary>
    public static string With(string identity, string fingerprint)
    {
        var (start, end) = Bounds(identity);
        return string.Concat(identity.AsSpan(0, start), fingerprint, identity.AsSpan(end));
    }

    /// <summary>The server's timeline in an identity; null if the identity is not a table's.</summary>
    public static long? TimelineOf(string identity) =>
        Server(identity) is [_, var timeline, _] && long.TryParse(timeline, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>Whether two identities, or logs, belong to one database of one server, possibly on different timelines.</summary>
    public static bool IsSameDatabase(string one, string other) =>
        Server(one) is [var system, _, var database]
        && Server(other) is [var otherSystem, _, var otherDatabase]
        && (system, database) == (otherSystem, otherDatabase);

    /// <summary>An identity moved to another one's timeline, if both belong to one database.</summary>
    public static string OnTimeline(string identity, string other)
    {
        if (!IsSameDatabase(identity, other))
            return identity;
        var parts = identity.Split('-');
        parts[Array.FindIndex(parts, IsServer)] = string.Join('.', Server(other));
        return string.Join('-', parts);
    }

    /// <summary>System, timeline and database; in a replication identity other parts come first.</summary>
    private static string[] Server(string identity) => (Array.Find(identity.Split('-'), IsServer) ?? "").Split('.');

    private static bool IsServer(string part) => part.Count(c => c == '.') == 2;

    private static (int Start, int End) Bounds(string identity)
    {
        var start = identity.LastIndexOf('-') + 1;
        return (start, identity.LastIndexOf('.') is var end && end > start ? end : -1);
    }
}
