using Microsoft.Extensions.Logging;

namespace Lockstep.Serving;

/// <summary>
/// What a feed server logs, under the category <see cref="Category"/>. The ids are stable. Nothing here holds a secret; a client's address
/// and cursor are unchanged.
/// </summary>
internal static partial class ServingLog
{
    public const string Category = "Lockstep.Serving";

    [LoggerMessage(1, LogLevel.Information, "Serving at {Uri}.")]
    public static partial void Started(ILogger logger, Uri uri);

    [LoggerMessage(2, LogLevel.Information, "The server at {Uri} has stopped.")]
    public static partial void Stopped(ILogger logger, Uri uri);

    [LoggerMessage(3, LogLevel.Debug, "{Client} reads {Feed} from cursor {Cursor}.")]
    public static partial void ClientCame(ILogger logger, string client, string feed, long cursor);

    [LoggerMessage(4, LogLevel.Debug, "{Client} has left {Feed} after {Rows} rows and {Bytes} bytes.")]
    public static partial void ClientLeft(ILogger logger, string client, string feed, long rows, long bytes);

    [LoggerMessage(5, LogLevel.Information, "{Client} was refused {Feed}: {Status}.")]
    public static partial void Refused(ILogger logger, string client, string feed, int status);

    [LoggerMessage(7, LogLevel.Information, "Serving {Feed}.")]
    public static partial void Added(ILogger logger, string feed);

    [LoggerMessage(8, LogLevel.Information, "No longer serving {Feed}.")]
    public static partial void Removed(ILogger logger, string feed);

    [LoggerMessage(6, LogLevel.Warning, "A client could not read {Feed}.")]
    public static partial void ReadFailed(ILogger logger, string feed, Exception error);
}
