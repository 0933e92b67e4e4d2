using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>What is wrong with a command line, in words that name options and no type of .NET.</summary>
internal static class UsageText
{
    /// <summary>One line for each error.</summary>
    public static IEnumerable<string> Of(ParseResult command) => command.Errors.Select(error => PlainText.Of(Describe(error)));

    /// <summary>
    /// What looks like an option and is none of the command's: it would be taken for an argument, or leave none for what comes after it. A
    /// number may begin with a minus, and so may everything behind <c>--</c>.
    /// </summary>
    public static string? UnknownOption(ParseResult command) =>
        command.Tokens.Any(token => token.Type == TokenType.DoubleDash)
            ? null
            : command
                .CommandResult.Children.OfType<ArgumentResult>()
                .SelectMany(argument => argument.Tokens)
                .Select(token => token.Value)
                .Concat(command.UnmatchedTokens)
                .FirstOrDefault(text => text.Length > 1 && text[0] == '-' && !double.TryParse(text, CultureInfo.InvariantCulture, out _));

    private static string Describe(ParseError error) =>
        error.SymbolResult is OptionResult { Option: var option, Tokens: [var token] } && Taken(option.ValueType) is { } takes
            ? $"{option.Name} takes {takes}, and not '{token.Value}'."
            : error.Message;

    /// <summary>What an option of a type takes; null where its own parser says so better.</summary>
    private static string? Taken(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
            : type == typeof(int) || type == typeof(long) ? $"a whole number"
            : type == typeof(double) || type == typeof(decimal) ? "a number"
            : type == typeof(bool) ? "true, false or nothing"
            : null;
    }
}
