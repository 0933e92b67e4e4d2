using Lockstep.Cli.Output;
using Lockstep.Engine;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>
/// What a server tells its operator, on the standard error: as log entries where a log was asked for, else as plain lines. Thread-safe.
/// </summary>
internal sealed class ServeLog(ILogger? logger)
{
    private static readonly Action<ILogger, string, Exception?> Notice = LoggerMessage.Define<string>(
        LogLevel.Information,
        new EventId(1, "Notice"),
        "{Notice}"
    );
    private static readonly Action<ILogger, string, string, Exception?> Trouble = LoggerMessage.Define<string, string>(
        LogLevel.Warning,
        new EventId(2, "FeedTrouble"),
        "{Feed}: {Trouble}"
    );

    /// <summary>Whether there is a log, which the server itself writes to as well.</summary>
    public bool IsLogged => logger is not null;

    /// <summary>Something that an operator should know.</summary>
    public void Say(string text)
    {
        if (logger is not null)
            Notice(logger, text, null);
        else
            Console.Error.WriteLine($"lockstep: {text}");
    }

    /// <summary>Something is wrong with a feed.</summary>
    public void Warn(string feed, Exception error)
    {
        var text = TextOf(error);
        if (logger is not null)
            Trouble(logger, feed, text, null);
        else
            Console.Error.WriteLine($"lockstep: {feed}: {text}");
    }

    /// <summary>What it is, and what to do about it.</summary>
    private static string TextOf(Exception error) =>
        (error.InnerException as LockstepException ?? error) is LockstepException { Remedy: { } remedy } known
            ? $"{known.Message} {remedy.Render(ShellWords.Say)}"
            : error.Message;
}
