using System.CommandLine;
using Lockstep.Cli.Output;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Cli.Commands;

/// <summary>Whether what a command does is logged to the standard error, and how.</summary>
internal static class LogOptions
{
    private static readonly Option<LogLevel?> Level = new("--log-level")
    {
        Description =
            "Log to the standard error what is at least so important: Trace, Debug, Information, Warning, Error, None. Default: Warning for serve, else None.",
        HelpName = "LEVEL",
        Recursive = true,
    };
    private static readonly Option<LogFormat> Format = new("--log-format")
    {
        Description = "How the log is written: Text, or Json with an object a line.",
        HelpName = "FORMAT",
        Recursive = true,
    };

    /// <summary>For the root, so that every command takes them.</summary>
    public static IEnumerable<Option> All => [Level, Format];

    /// <summary>Whether there is a log. What it says need not be printed again.</summary>
    public static bool IsOn(ParseResult result) => result.GetValue(Level) is { } level and not LogLevel.None;

    /// <summary>The log that the command line asks for; one that nobody reads where it asks for none.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="unasked">The level where it says nothing.</param>
    public static ILoggerFactory Read(ParseResult result, LogLevel unasked = LogLevel.None) =>
        (result.GetValue(Level) ?? unasked) is not LogLevel.None and var level
            ? new StandardErrorLog(level, result.GetValue(Format), Console.Error, TimeProvider.System)
            : NullLoggerFactory.Instance;
}
