using System.Text.Json;
using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>
/// What --json prints about an error: a caller that asked for JSON learns from the last line how the command ended, as from its exit code.
/// Commands whose lines are records print none, because it would look like a record.
/// </summary>
internal static class JsonFailure
{
    private const string IsTold = "Lockstep.Cli.JsonFailure";

    /// <summary>Prints the line of an error, unless the command has printed one.</summary>
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

    /// <summary>Says that the command has printed the error itself.</summary>
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
