using System.CommandLine;
using Lockstep.Cli.Commands;
using Lockstep.Engine;

namespace Lockstep.Cli;

/// <summary>lockstep: the engine from a shell. No logic here that the engine could have.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        var root = new RootCommand("Keeps local tables in step with records that change elsewhere.")
        {
            SyncCommand.Create(),
            RecordsCommand.Create(),
            TablesCommand.Create(),
            VarCommand.Create(),
            ServeCommand.Create(),
            TestServerCommand.Create(),
            GossipCommand.Create(),
            QuickstartCommand.Create(),
        };
        ParseResult command = root.Parse(args);
        if (command.Errors.Count > 0 && command.Action is not System.CommandLine.Help.HelpAction)
        {
            foreach (var error in command.Errors) await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
            await Console.Error.WriteLineAsync($"See 'lockstep {(command.CommandResult.Command is RootCommand ? "" : command.CommandResult.Command.Name + " ")}--help'.").ConfigureAwait(false);
            return ExitCodes.Usage;
        }

        try
        {
            return await command.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }).ConfigureAwait(false);
        }
        catch (Exception e) when (e is LockstepException or OperationCanceledException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            if (e is not OperationCanceledException) await Console.Error.WriteLineAsync("lockstep: " + Describe(e)).ConfigureAwait(false);
            return ExitCodes.Of(e);
        }
    }

    private static string Describe(Exception e) => e is LockstepException known ? $"{known.Message}\n{known.RecommendedAction} [{known.ErrorId}]" : e.Message;
}
