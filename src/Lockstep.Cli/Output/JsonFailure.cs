using System.Text.Json;
using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>
/// The line that --json prints about an error: a caller that requested JSON learns how the command ended from the last line as well as from
/// the exit code. Commands that print records omit it, because it would look like a record.
/// </summary>
internal static class JsonFailure
{
    private const string IsTold = "Lockstep.Cli.JsonFailure";

    /// <summary>Prints the line for an error, unless the command has already printed one.</summary>
    public static void Tell(Exception error)
    {
        if (error.Data.Contains(IsTold))
            return;
        using var output = Console.OpenStandardOutput();
        JsonLines.Write(
            output,
            writer =>
            {
                writer.WriteString("outcome", error is OperationCanceledException ? "Stopped" : "Failed");
                Write(writer, error);
            }
        );
    }

    /// <summary>Notes that the command has printed the error itself.</summary>
    public static void Told(Exception error) => error.Data[IsTold] = true;

    /// <summary>Writes the members that say what went wrong.</summary>
    public static void Write(Utf8JsonWriter writer, Exception error)
    {
        writer.WriteStartObject("error");
        writer.WriteString("id", error is LockstepException known ? known.ErrorId : IdOf(error));
        writer.WriteString("message", ErrorText.Message(error));
        writer.WriteString("action", (error as LockstepException)?.Remedy.Render(ShellWords.Say));
        writer.WriteEndObject();
        writer.WriteNumber("exitCode", ExitCodes.Of(error));
    }

    private static string IdOf(Exception error) =>
        error switch
        {
            OperationCanceledException => "Stopped",
            ArgumentException => "Usage",
            CommandException => "CommandFailed",
            IOException or UnauthorizedAccessException => "FileUnusable",
            _ => "Unexpected",
        };
}
