using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>
/// Where in a record a key's value is, as the user writes it: a field's name, or a JSON Pointer (RFC 6901) that leads through objects, such
/// as <c>/metadata/uid</c>. A field whose name begins with a slash is written <c>/~1name</c>.
/// </summary>
internal static class FieldPath
{
    /// <summary>Whether the text is a pointer, and not the name of a field.</summary>
    public static bool IsPointer(string text) => text.StartsWith('/');

    /// <summary>
    /// Whether it is a field's name or a valid pointer: not an empty text, and no tilde that stands for nothing.
    /// </summary>
    public static bool IsValid(string text) =>
        text.Length > 0
        && (
            !IsPointer(text) || !text.Replace("~0", "", StringComparison.Ordinal).Replace("~1", "", StringComparison.Ordinal).Contains('~')
        );

    /// <summary>The names that lead to the value.</summary>
    /// <param name="text">A field's name or a pointer.</param>
    /// <exception cref="FormatException">A tilde in it stands for nothing.</exception>
    public static IReadOnlyList<string> Names(string text) => IsPointer(text) ? [.. text[1..].Split('/').Select(Unescape)] : [text];

    /// <summary>
    /// The pointer to what is written with dots elsewhere, <c>metadata.uid</c>; null if the first of the names is not a field.
    /// </summary>
    /// <param name="text">What was written.</param>
    /// <param name="fields">The fields that there are.</param>
    public static string? OfDotted(string text, IEnumerable<string> fields)
    {
        var names = text.Split('.');
        if (IsPointer(text) || names.Length < 2 || Array.Exists(names, name => name.Length == 0))
            return null;
        var field = fields.FirstOrDefault(field => field.Equals(names[0], StringComparison.OrdinalIgnoreCase));
        return field is null ? null : string.Concat(names[1..].Prepend(field).Select(name => "/" + Escape(name)));
    }

    private static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>One name of a pointer, unescaped.</summary>
    /// <exception cref="FormatException">A tilde in it stands for nothing.</exception>
    public static string Unescape(string segment)
    {
        for (var at = segment.IndexOf('~', StringComparison.Ordinal); at >= 0; at = segment.IndexOf('~', at + 1))
        {
            if (at + 1 >= segment.Length || segment[at + 1] is not ('0' or '1'))
            {
                throw new FormatException(
                    $"'{segment}' is not a valid part of a JSON Pointer: '~' is written '~0', and '/' is written '~1'"
                );
            }
        }

        return new StringBuilder(segment).Replace("~1", "/").Replace("~0", "~").ToString();
    }
}
