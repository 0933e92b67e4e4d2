using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Lockstep.Cli.Commands;

/// <summary>The values of a filter's parameters, from the command line.</summary>
internal static partial class FilterArguments
{
    /// <summary>The values by name.</summary>
    /// <param name="values">In the form NAME=VALUE: text, unless VALUE is a number or a JSON literal in canonical form.</param>
    /// <param name="texts">In the form NAME=TEXT.</param>
    /// <exception cref="ArgumentException">A value has another form, or a name occurs twice.</exception>
    public static Dictionary<string, object?> Read(string[]? values, string[]? texts)
    {
        var parameters = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach ((var name, var text) in (values ?? []).Select(Split))
            Add(name, OfJson(text));
        foreach ((var name, var text) in (texts ?? []).Select(Split))
            Add(name, text);
        return parameters;

        void Add(string name, object? value)
        {
            if (!parameters.TryAdd(name, value))
                throw new ArgumentException($"The filter's parameter '{name}' has two values.");
        }
    }

    /// <summary>A text that only looks like a number, such as a postal code or the id 9e5, would change if it became a number.</summary>
    private static object? OfJson(string text) =>
        text switch
        {
            "true" => true,
            "false" => false,
            "null" => null,
            _ when !CanonicalNumber().IsMatch(text) => text,
            _ when long.TryParse(text, CultureInfo.InvariantCulture, out var integer) => integer,
            _ => Number(text),
        };

    /// <summary>A number with all its digits.</summary>
    private static JsonElement Number(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    private static (string Name, string Text) Split(string given)
    {
        var at = given.IndexOf('=', StringComparison.Ordinal);
        return at > 0 ? (given[..at], given[(at + 1)..]) : throw new ArgumentException($"'{given}' is not of the form NAME=VALUE.");
    }

    [GeneratedRegex(@"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])\z")]
    private static partial Regex CanonicalNumber();
}
