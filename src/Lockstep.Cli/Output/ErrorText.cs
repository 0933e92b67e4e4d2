using Lockstep.Engine;
using Lockstep.Serving.Hosting;

namespace Lockstep.Cli.Output;

/// <summary>The text of an error that ends the program: a line, what to do about it, and with --debug everything known about it.</summary>
internal static class ErrorText
{
    /// <summary>Writes an error to standard error. Returns its exit code.</summary>
    /// <param name="error">The error.</param>
    /// <param name="isDebug">Whether to print everything known about it.</param>
    /// <param name="isJson">Whether to print it to standard output too, as JSON.</param>
    public static int Tell(object error, bool isDebug, bool isJson)
    {
        var e = error as Exception ?? new InvalidOperationException(error.ToString());
        while (e is AggregateException { InnerExceptions: [var only] })
            e = only;
        if (e is not OperationCanceledException)
            Console.Error.WriteLine("lockstep: " + Describe(e));
        if (isDebug)
            Console.Error.WriteLine(e);
        if (isJson)
            JsonFailure.Tell(e);
        return ExitCodes.Of(e);
    }

    /// <summary>The text without --debug.</summary>
    internal static string Describe(Exception e) =>
        e switch
        {
            LockstepException known => $"{Message(e)}\n{known.Remedy.Render(ShellWords.Say)} [{known.ErrorId}]",
            ListenException unheard => $"{Message(e)} {unheard.RecommendedAction}",
            ArgumentException or IOException or UnauthorizedAccessException or CommandException => Message(e),
            _ => $"{Message(e)} This is unexpected; --debug prints everything known about it.",
        };

    /// <summary>What happened, without what to do about it.</summary>
    internal static string Message(Exception e) => PlainText.Of(PlainText.MessageOf(e));
}
