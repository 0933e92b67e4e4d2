using System.Globalization;

namespace Lockstep.Engine.Records;

/// <summary>
/// How far in the history of a feed's origin a client was told of anything, which may be further than its cursor: an era, and a place in
/// it. When the origin lost what came after a place, only clients that were told of nothing beyond it can go on.
/// </summary>
/// <param name="Era">Of PostgreSQL, the timeline.</param>
/// <param name="Place">Of PostgreSQL, the place in the server's log.</param>
internal readonly record struct FeedMark(long Era, long Place)
{
    /// <summary>Stands in a stored identity between that and its mark.</summary>
    private const char Separator = '~';

    /// <summary>The further one of two; null stands for none.</summary>
    public static FeedMark? Later(FeedMark? one, FeedMark? other) =>
        one is not { } a ? other
        : other is not { } b || a.IsBeyond(b) ? one
        : other;

    /// <summary>The identity and the mark of what a table keeps as the one text.</summary>
    public static (string Identity, FeedMark? Mark) Split(string stored)
    {
        var at = stored.LastIndexOf(Separator);
        return at >= 0 && TryParse(stored[(at + 1)..], out var mark) ? (stored[..at], mark) : (stored, null);
    }

    /// <summary>What a table keeps.</summary>
    public static string? Join(string? identity, FeedMark? mark) =>
        identity is null || mark is null ? identity : $"{identity}{Separator}{mark}";

    /// <summary>Whether what a table keeps is of the feed that names an identity.</summary>
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
