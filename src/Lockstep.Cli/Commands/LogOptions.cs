using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Cli.Serving;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Cli.Commands;

/// <summary>Whether and how a command logs to standard error.</summary>
internal static class LogOptions
{
    private static readonly Option<LogLevel?> Level = new("--log-level")
    {
        Description = "Log to standard error at this level or above: Trace, Debug, Information, Warning, Error, None. Default: None.",
        HelpName = "LEVEL",
        Recursive = true,
    };
    private static readonly Option<LogFormat> Format = new("--log-format")
    {
        Description = "The log's format: Text, or Json with one object per line.",
        HelpName = "FORMAT",
        Recursive = true,
    };

    /// <summary>The options for the root command, so that every command accepts them.</summary>
    public static IEnumerable<Option> All => [Level, Format];

    /// <summary>Whether there is a log. What it contains need not be printed again.</summary>
    public static bool IsOn(ParseResult result) => result.GetValue(Level) is { } level and not LogLevel.None;

    /// <summary>
    /// A server's log, by the command line or else by its configuration; if neither requests one, what its operator must know.
    /// </summary>
    public static ILoggerFactory ForServer(ParseResult result, LogConfig? configured = null)
    {
        var level = result.GetValue(Level) ?? configured?.Level;
        var format = result.GetResult(Format) is { Implicit: false } ? result.GetValue(Format) : configured?.Format;
        return level is null or LogLevel.None
            ? new OperatorLog()
            : new StandardErrorLog(level.Value, format ?? LogFormat.Text, Console.Error, TimeProvider.System);
    }

    /// <summary>The log that the command line requests; a null logger if it requests none.</summary>
    public static ILoggerFactory Read(ParseResult result) =>
        result.GetValue(Level) is { } level and not LogLevel.None
            ? new StandardErrorLog(level, result.GetValue(Format), Console.Error, TimeProvider.System)
            : NullLoggerFactory.Instance;
}
