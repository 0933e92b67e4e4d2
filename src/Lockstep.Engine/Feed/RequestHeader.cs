using System.Net.Http.Headers;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Sets headers whose values come from elsewhere: from a feed by a cursor, from a table's file, from a description. .NET sends line breaks
/// in them as they are, and who can write one could add headers, or a request of another kind.
/// </summary>
internal static class RequestHeader
{
    /// <summary>Adds a header; what is no character of one line becomes a blank.</summary>
    public static void Add(HttpRequestHeaders headers, string name, string value) =>
        headers.TryAddWithoutValidation(name, string.Create(value.Length, value, Fill));

    private static void Fill(Span<char> line, string value)
    {
        for (var i = 0; i < line.Length; i++)
            line[i] = char.IsControl(value[i]) ? ' ' : value[i];
    }
}
