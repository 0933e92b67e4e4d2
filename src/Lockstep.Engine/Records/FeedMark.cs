using System.Globalization;

namespace Lockstep.Engine.Records;

/// <summary>
/// The furthest point in the history of a feed's origin that a client has heard of, which may be beyond its cursor: an era, and a position
/// in it. If the origin lost everything after a position, only clients that have heard of nothing beyond it can continue.
/// </summary>
/// <param name="Era">In PostgreSQL, the timeline.</param>
/// <param name="Place">In PostgreSQL, the position in the server's log.</param>
internal readonly record struct FeedMark(long Era, long Place)
{
    /// <summary>Separates a stored identity from its mark.</summary>
    private const char Separator = '~';

    /// <summary>The further of two; null stands for none.</summary>
    public static FeedMark? Later(FeedMark? one, FeedMark? other) =>
        one is not { } a ? other
        : other is not { } b || a.IsBeyond(b) ? one
        : other;

    /// <summary>A table's stored text: the identity and the mark in one.</summary>
    public static (string Identity, FeedMark? Mark) Split(string stored)
    {
        var at = stored.LastIndexOf(Separator);
        return at >= 0 && TryParse(stored[(at + 1)..], out var mark) ? (stored[..at], mark) : (stored, null);
    }

    /// <summary>What a table keeps.</summary>
    public static string? Join(string? identity, FeedMark? mark) =>
        identity is null || mark is null ? identity : $"{identity}{Separator}{mark}";

    /// <summary>Whether what a table keeps belongs to the feed that names an identity.</summary>
    public static bool IsOf(string stored, string identity) => Split(stored).Identity == identity;

    public static bool TryParse(string? text, out FeedMark mark)
    {
        mark = default;
        var parts = text?.Split('.') ?? [];
        if (
            parts.Length != 2
            || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var era)
            || !long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var place)
        )
        {
            return false;
        }

        mark = new FeedMark(era, place);
        return true;
    }

    public static FeedMark? Parse(string? text) => TryParse(text, out var mark) ? mark : null;

    public bool IsBeyond(FeedMark other) => Era != other.Era ? Era > other.Era : Place > other.Place;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Era}.{Place}");
}
