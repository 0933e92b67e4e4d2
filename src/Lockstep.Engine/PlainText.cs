using System.Buffers;
using System.Globalization;
using System.Text;

namespace Lockstep.Engine;

/// <summary>
/// Text from feeds, peers and files as it may be shown to people: what would steer a terminal (escapes, C1, backspace, bell) or turn the
/// order of reading (bidirectional controls) is written as its number, <c>\u001b</c>. Programs get the exact values elsewhere. Thread-safe.
/// </summary>
internal static class PlainText
{
    private const char Tab = '\t';

    private static readonly SearchValues<char> Steering = SearchValues.Create([
        .. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7F, 0x21)).Select(c => (char)c).Where(c => c != Tab),
        '\u061C',
        .. Between('\u200E', '\u200F'),
        .. Between('\u2028', '\u202E'),
        .. Between('\u2066', '\u2069'),
        '\uFEFF',
    ]);

    /// <summary>Whether a character is written as its number.</summary>
    public static bool Steers(char c) => Steering.Contains(c);

    /// <summary>An exception's message without the name of a parameter in the code, which .NET appends.</summary>
    public static string MessageOf(Exception error) =>
        error is ArgumentException { ParamName: { Length: > 0 } name }
            ? error.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal)
            : error.Message;

    /// <summary>The text on one line: a line break becomes a blank.</summary>
    public static string Of(string text) => text.AsSpan().ContainsAny(Steering) ? Lines(text.ReplaceLineEndings(" ")) : text;

    /// <summary>The text with its line breaks, for what is written by us and only quotes others.</summary>
    public static string Lines(string text)
    {
        var at = text.AsSpan().IndexOfAny(Steering);
        if (at < 0)
            return text;
        var plain = new StringBuilder(text, 0, at, text.Length + 16);
        for (; at < text.Length; at++)
        {
            var c = text[at];
            var breaksLine = c == '\n' || (c == '\r' && at + 1 < text.Length && text[at + 1] == '\n');
            if (Steering.Contains(c) && !breaksLine)
                plain.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                plain.Append(c);
        }

        return plain.ToString();
    }

    private static IEnumerable<char> Between(char first, char last) => Enumerable.Range(first, last - first + 1).Select(c => (char)c);
}
