using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Serving;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>
/// The log of a server whose command line asks for none: what its operator must know, as plain lines on standard error. Thread-safe.
/// </summary>
internal sealed class OperatorLog : ILoggerFactory
{
    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) =>
        new CallbackLogger(categoryName == FeedServer.LogCategory ? LogLevel.Warning : LogLevel.Information, Tell);

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("There is one log, on standard error.");

    /// <inheritdoc/>
    public void Dispose() { }

    /// <summary>What an error is, and what to do about it.</summary>
    public static string TextOf(Exception error) =>
        (error.InnerException as LockstepException ?? error) is LockstepException { Remedy: { } remedy } known
            ? $"{known.Message} {remedy.Render(ShellWords.Say)}"
            : error.Message;

    /// <summary>Clients and rows can cause a warning as often as they like: this many per minute are logged for each feed.</summary>
    private static void Tell(LogLevel level, string message, Exception? error)
    {
        var line = error is null ? $"lockstep: {message}" : $"lockstep: {message} {TextOf(error)}";
        if (level < LogLevel.Warning)
            Console.Error.WriteLine(line);
        else
            LineLimit.OfErrors.Write("feeds", null, line);
    }
}
