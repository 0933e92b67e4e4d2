using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>What the driver's errors mean.</summary>
internal static class RedisErrors
{
    /// <summary>A server may say as much as it likes.</summary>
    private const int LongestReason = 300;

    /// <summary>Whether the server or the way to it is at fault, and not this program.</summary>
    public static bool IsUnavailable(Exception error) =>
        error is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException or FormatException
        || IsNoAnswerOfAStore(error);

    /// <summary>Whether it came of reading an answer of another form than our scripts' answers: whoever sent it is no store.</summary>
    private static bool IsNoAnswerOfAStore(Exception error) =>
        error
            is InvalidCastException
                or (InvalidOperationException and not ObjectDisposedException)
                or IndexOutOfRangeException
                or NullReferenceException
                or KeyNotFoundException
                or ArgumentException
                or OverflowException;

    /// <summary>Whether the command certainly did nothing: the server refused it, or it was never sent.</summary>
    public static bool DidNothing(Exception error) =>
        error switch
        {
            RedisServerException or RedisCommandException => true,
            RedisConnectionException lost => lost.CommandStatus is CommandStatus.WaitingInBacklog or CommandStatus.WaitingToBeSent,
            RedisTimeoutException late => late.Commandstatus == CommandStatus.WaitingInBacklog,
            _ => false,
        };

    /// <summary>What happened, as part of a sentence.</summary>
    public static string Reason(Exception error)
    {
        var reason = WholeReason(error);
        return reason.Length <= LongestReason ? reason : reason[..LongestReason] + "...";
    }

    private static string WholeReason(Exception error) =>
        error switch
        {
            _ when IsNoAnswerOfAStore(error) => "it does not answer as a store does",
            RedisTimeoutException or TimeoutException => "it did not answer in time",
            RedisServerException { Message: var said } when said.StartsWith("OOM", StringComparison.Ordinal) => "its memory is full ("
                + said.TrimEnd('.')
                + ")",
            ObjectDisposedException => "the connection was closed",
            RedisConnectionException { Message: var said } => NoConnection(said),
            _ => error.Message.TrimEnd('.'),
        };

    /// <summary>
    /// Without the driver's advice to programmers. It gives the reason after a semicolon, or after its first sentence if it could not
    /// connect at all.
    /// </summary>
    private static string NoConnection(string said)
    {
        if (said.StartsWith("InternalFailure", StringComparison.Ordinal) || said.StartsWith("ProtocolFailure", StringComparison.Ordinal))
            return "it does not answer as Redis does";
        var sentence = said.IndexOf("(s).", StringComparison.Ordinal);
        var start =
            said.StartsWith("No connection is ", StringComparison.Ordinal) ? said.IndexOf(';', StringComparison.Ordinal)
            : sentence < 0 ? -1
            : sentence + 3;
        var why = start < 0 ? "" : said[(start + 1)..].Trim(' ', '.');
        return why.Length == 0 || why.StartsWith("Error connecting right now", StringComparison.Ordinal)
            ? "no connection"
            : $"no connection ({why})";
    }
}
