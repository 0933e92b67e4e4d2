namespace Lockstep.Engine.Dialects;

/// <summary>The parts of cursors and links that may be shown: the rest may be secret (D7).</summary>
internal static class CursorText
{
    private const int LongestShown = 12;

    /// <summary>The beginning of a text.</summary>
    public static string Shorten(string text) => text.Length <= LongestShown ? text : text[..LongestShown] + "…";

    /// <summary>The part of a stored cursor that may be shown: of a link, neither the query nor a user and a password.</summary>
    public static string Show(string cursor) =>
        cursor.StartsWith("http", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(cursor, UriKind.Absolute, out var uri)
            ? $"{uri.Scheme}://{uri.Authority}{uri.AbsolutePath}{(uri.Query.Length > 0 ? "?…" : "")}"
            : cursor;
}
