using System.Buffers;
using System.Net.Http.Headers;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Sets headers whose values come from outside: from a feed through a cursor, from a table's file, from a description; and checks those
/// of the user. .NET sends line breaks in them unchanged, so anyone who controls a value could add headers or smuggle in another request.
/// </summary>
internal static class RequestHeader
{
    /// <summary>A token of RFC 9110, 5.6.2.</summary>
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    );

    /// <summary>Adds a header; characters that do not belong in one line become blanks.</summary>
    public static void Add(HttpRequestHeaders headers, string name, string value) =>
        headers.TryAddWithoutValidation(name, string.Create(value.Length, value, Fill));

    /// <summary>
    /// Checks what a user wants to be sent: .NET leaves out what it cannot send, without an error, and sends line breaks.
    /// </summary>
    /// <exception cref="InvalidOptionException">A header or the token cannot be sent; the message names it.</exception>
    public static void Check(FeedOptions options)
    {
        foreach ((var name, var value) in options.Headers)
            Check(name, value);
        if (options.BearerToken?.Any(IsBreak) == true)
        {
            throw new InvalidOptionException(
                "The token has a line break or another control character.",
                $"Remove that, or leave {Term.Token} out."
            );
        }
    }

    /// <summary>What is wrong with a header; null for nothing. Its value, which may be a secret, is not shown.</summary>
    public static string? Fault(string name, string value)
    {
        // What follows a colon is the value.
        var shown = PlainText.Of(name.Split(':')[0]);
        if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(NameCharacters))
            return $"'{shown}' cannot be a header's name: one has letters, digits and hyphens, and no blanks.";
        return value.Any(IsBreak) ? $"The value of the header '{shown}' has a line break or another control character." : null;
    }

    private static void Check(string name, string value)
    {
        if (Fault(name, value) is { } fault)
            throw new InvalidOptionException(fault, "Correct the header, or leave it out.");
        using var request = new HttpRequestMessage();
        if (IsOfConnection(name) || !request.Headers.TryAddWithoutValidation(name, value))
        {
            throw new InvalidOptionException(
                $"The header '{name}' cannot be given: it describes a request's body or its connection, which Lockstep does itself.",
                "Leave the header out."
            );
        }
    }

    private static bool IsOfConnection(string name) =>
        name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase) || name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase);

    /// <summary>A tab is the only control character of a header's value (RFC 9110, 5.5).</summary>
    private static bool IsBreak(char c) => char.IsControl(c) && c != '\t';

    private static void Fill(Span<char> line, string value)
    {
        for (var i = 0; i < line.Length; i++)
            line[i] = char.IsControl(value[i]) ? ' ' : value[i];
    }
}
