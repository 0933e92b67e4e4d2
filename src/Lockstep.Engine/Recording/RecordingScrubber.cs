using System.Buffers;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Recording;

/// <summary>
/// Removes private data from a recorded conversation (I9): the tokens in its links, each replaced by the same text wherever it occurs, so
/// that the conversation still fits together, and the server's name, for which a replay substitutes its own. Not thread-safe.
/// </summary>
internal sealed partial class RecordingScrubber
{
    /// <summary>Stands for the server's scheme and name.</summary>
    public const string Origin = "http://recorded.invalid";

    /// <summary>Anything shorter is a word such as <c>latest</c>, not a secret.</summary>
    public const int ShortestSecret = 8;

    /// <summary>Stands for a secret that the client brought along: whoever replays the recording need not have it.</summary>
    public const string Own = "hidden-own";

    /// <summary>
    /// More would make the search for them slow and large: the server must not decide how long it takes to write down its answer.
    /// </summary>
    public const int MostSecrets = 10_000;

    private static readonly byte[] OriginBytes = Encoding.ASCII.GetBytes(Origin);

    private readonly string _origin;
    private readonly Dictionary<string, string> _hidden = new(StringComparer.Ordinal);
    private readonly SearchValues<string> _search;
    private readonly string[] _sorted;
    private int _count;

    /// <param name="feed">The feed.</param>
    /// <param name="exchanges">Everything that was said.</param>
    /// <param name="own">What the client knew: its secrets are removed from the answers too, for servers repeat what they are sent.</param>
    /// <exception cref="IOException">There are too many secrets in it.</exception>
    public RecordingScrubber(Uri feed, IReadOnlyList<RecordedExchange> exchanges, FeedOptions? own = null)
    {
        _origin = feed.GetLeftPart(UriPartial.Authority);
        if (own is not null)
            LearnOwn(own);
        foreach (var exchange in exchanges)
        {
            Learn(exchange.Request);
            foreach (var value in exchange.Headers.Values)
                Learn(value);
            Learn(Encoding.UTF8.GetString(Whole(exchange.Body)));
        }

        _sorted = [.. _hidden.Keys.Order(StringComparer.Ordinal)];
        _search = SearchValues.Create(_sorted, StringComparison.Ordinal);
    }

    /// <summary>A text without its secrets and the server's name.</summary>
    public string Clean(string text)
    {
        var rest = text.AsSpan();
        if (_sorted.Length > 0 && rest.ContainsAny(_search))
        {
            var clean = new StringBuilder();
            for (int at; (at = rest.IndexOfAny(_search)) >= 0; )
            {
                var secret = LongestAt(rest[at..]);
                clean.Append(rest[..at]).Append(_hidden[secret]);
                rest = rest[(at + secret.Length)..];
            }

            text = clean.Append(rest).ToString();
        }

        return text.Replace(_origin, Origin, StringComparison.OrdinalIgnoreCase)
            .Replace(_origin.Replace("/", "\\/", StringComparison.Ordinal), Origin, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The pieces of a body; unchanged if nothing is removed, otherwise line by line or as a whole.</summary>
    public IReadOnlyList<(double At, byte[] Bytes)> Clean(IReadOnlyList<(double At, byte[] Bytes)> body)
    {
        var whole = Encoding.UTF8.GetString(Whole(body));
        var clean = Clean(whole);
        if (clean == whole)
            return body;
        // If the pieces end between the removed texts, they and their times stay.
        (double At, byte[] Bytes)[] parts =
        [
            .. body.Select(stretch => (stretch.At, Encoding.UTF8.GetBytes(Clean(Encoding.UTF8.GetString(stretch.Bytes))))),
        ];
        return Encoding.UTF8.GetString(Whole(parts)) == clean ? parts : [(body[^1].At, Encoding.UTF8.GetBytes(clean))];
    }

    /// <summary>A stretch of a body in pieces for a line each, none of which ends within the server's name.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Stretches(byte[] bytes)
    {
        for (var from = 0; from < bytes.Length; )
        {
            var end = EndOf(bytes, from);
            yield return bytes.AsMemory(from, end - from);
            from = end;
        }
    }

    private static int EndOf(byte[] bytes, int from)
    {
        if (bytes.Length - from <= RecordingFormat.Stretch)
            return bytes.Length;
        var end = from + RecordingFormat.Stretch;
        // A character of several bytes stays whole, unless it is none.
        for (var back = 0; back < 3 && (bytes[end] & 0xC0) == 0x80; back++)
            end--;
        var around = end - OriginBytes.Length + 1;
        var at = bytes.AsSpan(around, Math.Min(bytes.Length - around, 2 * OriginBytes.Length - 2)).IndexOf(OriginBytes);
        return at < 0 ? end : around + at + OriginBytes.Length;
    }

    private static byte[] Whole(IReadOnlyList<(double At, byte[] Bytes)> body)
    {
        var whole = new byte[body.Sum(stretch => stretch.Bytes.Length)];
        var at = 0;
        foreach ((_, var bytes) in body)
        {
            bytes.CopyTo(whole, at);
            at += bytes.Length;
        }

        return whole;
    }

    /// <summary>The longest secret that a text, which begins with one, begins with.</summary>
    private string LongestAt(ReadOnlySpan<char> text)
    {
        while (true)
        {
            int low = 0,
                high = _sorted.Length;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (_sorted[middle].AsSpan().SequenceCompareTo(text) <= 0)
                    low = middle + 1;
                else
                    high = middle;
            }

            var before = _sorted[low - 1];
            if (text.StartsWith(before, StringComparison.Ordinal))
                return before;
            // Whatever it begins with, it shares with its neighbor.
            text = text[..text.CommonPrefixLength(before)];
        }
    }

    private void LearnOwn(FeedOptions own)
    {
        foreach (var credential in (NetworkCredential?[])[own.Credential, own.Address.Credential])
        {
            if (credential is null)
                continue;
            HideOwn(credential.Password);
            HideOwn(Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.UserName}:{credential.Password}")));
        }

        HideOwn(own.BearerToken);
        foreach (var (name, value) in own.Headers)
        {
            // Such as the token after Bearer, or each of several cookies.
            if (SecretNames.Contain(name))
            {
                HideOwn([
                    value,
                    .. value
                        .Split([' ', ';', ','], StringSplitOptions.RemoveEmptyEntries)
                        .Select(part => part[(part.IndexOf('=', StringComparison.Ordinal) + 1)..]),
                ]);
            }
        }

        SecretNames.ReplaceValues(own.Address.Location.Query, HideOption);
        foreach (var (name, value) in own.Query)
        {
            if (SecretNames.Contain(name))
                HideOption($"{name}={value}", value);
        }

        string? HideOption(string option, string value)
        {
            if (value.Length < ShortestSecret)
            {
                // Too short to be found alone.
                var name = option[..^value.Length];
                foreach (var form in (string[])[option, Uri.UnescapeDataString(option), name + Uri.EscapeDataString(value)])
                    _hidden[form] = name + Own;
            }

            HideOwn(value);
            return null;
        }
    }

    private void HideOwn(params IEnumerable<string?> secrets)
    {
        foreach (var secret in secrets)
        {
            if (secret is not { Length: >= ShortestSecret })
                continue;
            var plain = Uri.UnescapeDataString(secret);
            foreach (var form in (string[])[secret, plain, Uri.EscapeDataString(plain), Uri.EscapeDataString(secret)])
                _hidden[form] = Own;
        }
    }

    private void Learn(string text)
    {
        foreach (Match match in NextToken().Matches(text))
            Hide(match.Groups["value"].Value);
        foreach (Match match in Parameter().Matches(text))
        {
            var value = match.Groups["value"].Value;
            if (value.Length >= ShortestSecret && SecretNames.Contain(Uri.UnescapeDataString(match.Groups["name"].Value)))
                Hide(value);
        }
    }

    private void Hide(string value)
    {
        var plain = Uri.UnescapeDataString(value);
        if (_hidden.ContainsKey(value))
            return;
        if (!_hidden.TryGetValue(plain, out var instead))
        {
            if (++_count > MostSecrets)
            {
                throw new IOException(
                    $"The answers have more than {MostSecrets} different tokens in their links, which a recording leaves out. "
                        + "Record for a shorter time."
                );
            }

            instead = $"hidden-{_count}";
        }

        _hidden[value] = instead;
        // A body may contain it as it is while the request has it escaped, or the other way round.
        _hidden[plain] = instead;
        _hidden[Uri.EscapeDataString(plain)] = instead;
    }

    /// <summary>A token that no request has had yet, such as <c>nextSyncToken</c>, in a field of its own.</summary>
    [GeneratedRegex(
        """
            "(?:next|new)[_-]?\w*token"\s*:\s*"(?<value>[^"\s\\]{8,})"
            """,
        RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace
    )]
    private static partial Regex NextToken();

    [GeneratedRegex("""(?:[?&]|\\u0026|&amp;)(?<name>[\w$%.\-\[\]]+)=(?<value>[^&"'\s<>\\]+)""")]
    private static partial Regex Parameter();
}
