using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>What is wrong with a command line, in terms of options rather than .NET types.</summary>
internal static class UsageText
{
    private const string ANumber = "a number";

    /// <summary>What is wrong, and where to read about the correct usage; empty if nothing is wrong.</summary>
    public static IEnumerable<string> Of(ParseResult command)
    {
        var help = $"See 'lockstep {PathOf(command.CommandResult)}--help'.";
        if (UnknownOption(command) is { } unknown)
        {
            string[] known = [.. OptionsOf(command.CommandResult)];
            // Other commands call it --uri.
            var meant = unknown == "--uri" && known.Contains("--peer") ? " Did you mean '--peer'?" : Spelling.Suggestion(unknown, known);
            yield return PlainText.Of($"There is no option '{unknown}'.{meant}");
            yield return help;
            yield break;
        }

        var commas = WithCommas(command.CommandResult).ToArray();
        foreach (var option in commas)
        {
            yield return PlainText.Of(
                $"{option.Option.Name} takes a number, and not '{option.Tokens[0].Value}': a point goes before its fraction."
            );
        }
        var called = command.CommandResult.Command;
        var named = command.UnmatchedTokens is [var first, ..] ? first : null;
        // With --help, a misspelt command is not an error to the parser.
        if (command.Errors.Count == 0 && (named is null || called.Subcommands.Count == 0))
        {
            if (commas.Length > 0)
                yield return help;
            yield break;
        }

        if (named is not null && called.Subcommands.Count > 0)
        {
            yield return PlainText.Of(
                $"There is no command '{named}'.{Spelling.Suggestion(named, called.Subcommands.Select(known => known.Name))}"
            );
            yield return help;
            yield break;
        }

        foreach (var error in command.Errors)
            yield return PlainText.Of(Describe(error));
        if (command.UnmatchedTokens.Count == 1 && called.Options.Any(option => option.Name == "--table"))
            yield return PlainText.Of($"A table is named with -t: lockstep {PathOf(command.CommandResult)}-t {named}");
        yield return help;
    }

    /// <summary>Numeric options whose value has a comma, which .NET ignores: 0,5 would be read as five.</summary>
    private static IEnumerable<OptionResult> WithCommas(CommandResult called) =>
        called
            .Children.OfType<OptionResult>()
            .Where(given =>
                Taken(given.Option.ValueType) == ANumber
                && given.Tokens is [var token]
                && token.Value.Contains(',', StringComparison.Ordinal)
            );

    /// <summary>The words that call a command, each followed by a space.</summary>
    private static string PathOf(CommandResult called) =>
        called.Command is RootCommand ? "" : (called.Parent is CommandResult parent ? PathOf(parent) : "") + called.Command.Name + " ";

    private static IEnumerable<string> OptionsOf(CommandResult called) =>
        called
            .Command.Options.SelectMany(option => option.Aliases.Append(option.Name))
            .Concat(called.Parent is CommandResult parent ? OptionsOf(parent) : []);

    /// <summary>
    /// A word that looks like an option but is not one of the command's: it would be treated as an argument, or leave none for what
    /// follows. A number may start with a minus, and so may everything after <c>--</c>.
    /// </summary>
    private static string? UnknownOption(ParseResult command) =>
        command.Tokens.Any(token => token.Type == TokenType.DoubleDash)
            ? null
            : command
                .CommandResult.Children.OfType<ArgumentResult>()
                .SelectMany(argument => argument.Tokens)
                .Select(token => token.Value)
                .Concat(command.UnmatchedTokens)
                .FirstOrDefault(text => text.Length > 1 && text[0] == '-' && !double.TryParse(text, CultureInfo.InvariantCulture, out _));

    private static string Describe(ParseError error) =>
        error.SymbolResult is OptionResult { Option: var own } && error.Message.StartsWith($"{own.Name} takes", StringComparison.Ordinal)
            ? error.Message
        : error.SymbolResult is OptionResult { Option: var option, Tokens: [var token] } && Taken(option.ValueType) is { } takes
            ? $"{option.Name} takes {takes}, and not '{token.Value}'."
        : error.SymbolResult is OptionResult { Option: var one, Tokens: { Count: > 1 } tokens } && one.Arity.MaximumNumberOfValues == 1
            ? $"{one.Name} is given {tokens.Count} times; it takes one value."
        : error.Message;

    /// <summary>What an option of a type accepts; null if its own parser explains it better.</summary>
    private static string? Taken(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
            : type == typeof(int) || type == typeof(long) ? $"a whole number"
            : type == typeof(double) || type == typeof(decimal) ? ANumber
            : type == typeof(bool) ? "true, false or nothing"
            : type == typeof(DateTimeOffset) ? "a time, such as 2030-01-31, 2030-01-31T08:00 or 2030-01-31T08:00Z"
            : null;
    }
}
