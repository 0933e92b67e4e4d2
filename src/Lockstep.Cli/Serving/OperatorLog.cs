using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Serving;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>
/// A server's log if the command line requests none: what its operator must know, as plain lines on standard error. Thread-safe.
/// </summary>
internal sealed class OperatorLog : ILoggerFactory
{
    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) =>
        new CallbackLogger(
            categoryName == FeedServer.LogCategory ? LogLevel.Warning : LogLevel.Information,
            // What an operator asked for is always answered.
            (level, message, error) => Tell(level, message, error, isLimited: categoryName != ServeLog.Category || level != LogLevel.Error)
        );

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("There is one log, on standard error.");

    /// <inheritdoc/>
    public void Dispose() { }

    /// <summary>An error's description, and what to do about it.</summary>
    public static string TextOf(Exception error) =>
        (error.InnerException as LockstepException ?? error) is LockstepException { Remedy: { } remedy } known
            ? $"{known.Message} {remedy.Render(ShellWords.Say)}"
            : error.Message;

    /// <summary>Limits the warnings per minute for each feed, because clients and rows can cause them as often as they like.</summary>
    private static void Tell(LogLevel level, string message, Exception? error, bool isLimited)
    {
        var line = error is null ? $"lockstep: {message}" : $"lockstep: {message} {TextOf(error)}";
        if (level < LogLevel.Warning || !isLimited)
            Console.Error.WriteLine(line);
        else
            LineLimit.OfErrors.Write("feeds", null, line);
    }
}
