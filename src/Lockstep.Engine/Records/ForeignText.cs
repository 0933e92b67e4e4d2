namespace Lockstep.Engine.Records;

/// <summary>Text from feeds and files as messages show it: a message is to be read, whatever somebody else sent.</summary>
internal static class ForeignText
{
    /// <summary>How much of it is shown, in characters.</summary>
    public const int LongestShown = 200;

    /// <summary>How it begins.</summary>
    public static string Shorten(string text) => text.Length <= LongestShown ? text : text[..LongestShown] + "…";
}
