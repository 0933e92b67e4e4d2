using System.Text;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// A text in a request in which names in braces are replaced: <c>{cursor}</c>, <c>{cursor:FORMAT}</c>, <c>{identity}</c>, <c>{timeout}</c>,
/// and <c>{header:NAME}</c> of the last response. Immutable.
/// </summary>
internal sealed record Template
{
    private readonly List<(string Text, string? Variable)> _parts = [];

    public Template(string text)
    {
        Text = text;
        for (var at = 0; at < text.Length; )
        {
            var open = text.IndexOf('{', at);
            var close = open < 0 ? -1 : text.IndexOf('}', open);
            if (close < 0)
            {
                _parts.Add((text[at..], null));
                break;
            }

            var variable = text[(open + 1)..close];
            // JSON in a parameter has braces of its own, around those of a name.
            if (variable.Length == 0 || !char.IsAsciiLetter(variable[0]))
            {
                _parts.Add((text[at..(open + 1)], null));
                at = open + 1;
                continue;
            }

            var name = variable.Split(':')[0];
            if (name is not ("cursor" or "identity" or "timeout" or "header"))
            {
                throw new FormatException($"'{{{variable}}}' is unknown: use {{cursor}}, {{identity}}, {{timeout}} and {{header:NAME}}");
            }

            _parts.Add((text[at..open], variable));
            at = close + 1;
        }
    }

    public string Text { get; }

    /// <summary>Whether anything in it is replaced.</summary>
    public bool HasVariables => _parts.Exists(part => part.Variable is not null);

    /// <summary>Whether it contains the cursor.</summary>
    public bool HasCursor => _parts.Exists(part => part.Variable?.Split(':')[0] == "cursor");

    /// <summary>What a text has in place of a name, if the text is this template with its names replaced; otherwise null.</summary>
    /// <param name="name">The name, without what follows its colon.</param>
    /// <param name="text">The text of a request.</param>
    public string? Find(string name, string text)
    {
        string? found = null;
        var at = 0;
        for (var i = 0; i < _parts.Count; i++)
        {
            (var before, var variable) = _parts[i];
            if (string.CompareOrdinal(text, at, before, 0, before.Length) != 0)
                return null;
            at += before.Length;
            if (variable is null)
                continue;
            var next = i + 1 < _parts.Count ? _parts[i + 1].Text : "";
            var end = next.Length == 0 ? text.Length : text.IndexOf(next, at, StringComparison.Ordinal);
            if (end < 0)
                return null;
            if (variable.Split(':')[0] == name)
                found = text[at..end];
            at = end;
        }

        return at == text.Length && found is { Length: > 0 } ? found : null;
    }

    /// <summary>The text with its names replaced; null if one of them has no value.</summary>
    /// <param name="value">Returns the value of a name, including what follows its colon.</param>
    public string? Fill(Func<string, string?> value)
    {
        var text = new StringBuilder();
        foreach ((var before, var variable) in _parts)
        {
            text.Append(before);
            if (variable is null)
                continue;
            if (value(variable) is not { } replaced)
                return null;
            text.Append(replaced);
        }

        return text.ToString();
    }
}
