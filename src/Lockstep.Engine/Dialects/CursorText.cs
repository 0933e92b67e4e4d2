namespace Lockstep.Engine.Dialects;

/// <summary>Cursors and links as they may be shown: they hold secrets (D7).</summary>
internal static class CursorText
{
    private const int LongestShown = 12;

    /// <summary>How it begins.</summary>
    public static string Shorten(string text) => text.Length <= LongestShown ? text : text[..LongestShown] + "…";

    /// <summary>A stored cursor as it may be shown: of a link, everything but its options.</summary>
    public static string Show(string cursor) =>
        cursor.StartsWith("http", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(cursor, UriKind.Absolute, out var uri)
            ? uri.GetLeftPart(UriPartial.Path) + (uri.Query.Length > 0 ? "?…" : "")
            : cursor;
}
