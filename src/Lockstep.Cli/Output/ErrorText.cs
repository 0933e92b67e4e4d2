using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>What an error that ends the program says: a line, what to do about it, and with --debug all that is known.</summary>
internal static class ErrorText
{
    /// <summary>Writes an error to the standard error. The exit code that it means.</summary>
    public static int Tell(object error, bool isDebug)
    {
        var e = error as Exception ?? new InvalidOperationException(error.ToString());
        while (e is AggregateException { InnerExceptions: [var only] })
            e = only;
        if (e is not OperationCanceledException)
            Console.Error.WriteLine("lockstep: " + Describe(e));
        if (isDebug)
            Console.Error.WriteLine(e);
        return ExitCodes.Of(e);
    }

    /// <summary>What it says without --debug.</summary>
    internal static string Describe(Exception e) =>
        e switch
        {
            LockstepException known => $"{PlainText.Of(known.Message)}\n{known.Remedy.Render(ShellWords.Say)} [{known.ErrorId}]",
            ArgumentException { ParamName: { } name } => PlainText.Of(
                e.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal)
            ),
            ArgumentException or IOException or UnauthorizedAccessException => PlainText.Of(e.Message),
            _ => $"{PlainText.Of(e.Message)} This is not expected; with --debug all is printed that is known of it.",
        };
}
