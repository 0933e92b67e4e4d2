using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>What <c>lockstep serve</c> itself logs. The ids are stable. Thread-safe.</summary>
internal sealed partial class ServeLog(ILogger logger)
{
    /// <summary>The category.</summary>
    public const string Category = "Lockstep.Serve";

    /// <summary>The category of what the feeds log.</summary>
    public const string FeedsCategory = "Lockstep.Feeds";

    /// <summary>Something that an operator should know.</summary>
    public void Say(string text) => Notice(logger, text);

    /// <summary>What an operator asked for failed.</summary>
    public void Fail(string text) => Failure(logger, text);

    /// <summary>Something is wrong with a feed.</summary>
    public void Warn(string feed, Exception error) => FeedTrouble(logger, feed, OperatorLog.TextOf(error));

    [LoggerMessage(1, LogLevel.Information, "{Text}")]
    private static partial void Notice(ILogger logger, string text);

    [LoggerMessage(2, LogLevel.Warning, "{Feed}: {Trouble}")]
    private static partial void FeedTrouble(ILogger logger, string feed, string trouble);

    [LoggerMessage(3, LogLevel.Error, "{Text}")]
    private static partial void Failure(ILogger logger, string text);
}
