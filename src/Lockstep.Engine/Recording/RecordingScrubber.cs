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

    /// <summary>Anything shorter is a word such as <c>latest</c>, and no secret.</summary>
    private const int ShortestSecret = 8;

    private readonly string _origin;
    private readonly Dictionary<string, string> _hidden = new(StringComparer.Ordinal);

    /// <param name="feed">The feed.</param>
    /// <param name="exchanges">Everything that was said.</param>
    public RecordingScrubber(Uri feed, IReadOnlyList<RecordedExchange> exchanges)
    {
        _origin = feed.GetLeftPart(UriPartial.Authority);
        foreach (var exchange in exchanges)
        {
            Learn(exchange.Request);
            foreach (var value in exchange.Headers.Values)
                Learn(value);
            Learn(Encoding.UTF8.GetString([.. exchange.Body.SelectMany(stretch => stretch.Bytes)]));
        }
    }

    /// <summary>A text without its secrets and the server's name.</summary>
    public string Clean(string text)
    {
        // The longest first, since one may begin with another.
        foreach ((var secret, var instead) in _hidden.OrderByDescending(pair => pair.Key.Length))
            text = text.Replace(secret, instead, StringComparison.Ordinal);
        return text.Replace(_origin, Origin, StringComparison.OrdinalIgnoreCase)
            .Replace(_origin.Replace("/", "\\/", StringComparison.Ordinal), Origin, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The pieces of a body; unchanged if nothing is removed, otherwise line by line or as a whole.</summary>
    public IReadOnlyList<(double At, byte[] Bytes)> Clean(IReadOnlyList<(double At, byte[] Bytes)> body)
    {
        var whole = Encoding.UTF8.GetString([.. body.SelectMany(stretch => stretch.Bytes)]);
        var clean = Clean(whole);
        if (clean == whole)
            return body;
        // If the pieces end between the removed texts, they and their times stay.
        (double At, byte[] Bytes)[] parts =
        [
            .. body.Select(stretch => (stretch.At, Encoding.UTF8.GetBytes(Clean(Encoding.UTF8.GetString(stretch.Bytes))))),
        ];
        return Encoding.UTF8.GetString([.. parts.SelectMany(part => part.Bytes)]) == clean
            ? parts
            : [(body[^1].At, Encoding.UTF8.GetBytes(clean))];
    }

    private void Learn(string text)
    {
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
        var instead = _hidden.GetValueOrDefault(plain) ?? $"hidden-{_hidden.Values.Distinct().Count() + 1}";
        _hidden[value] = instead;
        // A body may contain it as it is while the request has it escaped, or the other way round.
        _hidden[plain] = instead;
        _hidden[Uri.EscapeDataString(plain)] = instead;
    }

    [GeneratedRegex("""(?:[?&]|\\u0026|&amp;)(?<name>[\w$%.\-\[\]]+)=(?<value>[^&"'\s<>\\]+)""")]
    private static partial Regex Parameter();
}
