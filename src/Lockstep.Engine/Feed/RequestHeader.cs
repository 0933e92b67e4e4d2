using System.Net.Http.Headers;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Sets headers whose values come from outside: from a feed through a cursor, from a table's file, from a description. .NET sends line
/// breaks in them unchanged, so anyone who controls a value could add headers or smuggle in another request.
/// </summary>
internal static class RequestHeader
{
    /// <summary>Adds a header; characters that do not belong in one line become blanks.</summary>
    public static void Add(HttpRequestHeaders headers, string name, string value) =>
        headers.TryAddWithoutValidation(name, string.Create(value.Length, value, Fill));

    private static void Fill(Span<char> line, string value)
    {
        for (var i = 0; i < line.Length; i++)
            line[i] = char.IsControl(value[i]) ? ' ' : value[i];
    }
}
