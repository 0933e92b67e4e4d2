using System.CommandLine;
using Lockstep.Cli.Commands;
using Lockstep.Cli.Commands.Gossip;
using Lockstep.Cli.Commands.Variables;
using Lockstep.Cli.Output;
using Lockstep.Engine;

namespace Lockstep.Cli;

/// <summary>lockstep: the engine from a shell. No logic here that the engine could have.</summary>
internal static class Program
{
    internal static readonly (string Name, Func<Command> Create)[] Commands =
    [
        ("sync", SyncCommand.Create),
        ("records", RecordsCommand.Create),
        ("tables", TablesCommand.Create),
        ("var", VarCommand.Create),
        ("serve", ServeCommand.Create),
        ("testserver", TestServerCommand.Create),
        ("gossip", GossipCommand.Create),
        ("quickstart", QuickstartCommand.Create),
    ];

    private static async Task<int> Main(string[] args)
    {
        var root = new RootCommand("Keeps local tables in step with records that change elsewhere.");
        // Making a command with its options takes longer than running some of them: the one that is called is enough.
        Func<Command>[] called = [.. Commands.Where(c => args.Length > 0 && c.Name == args[0]).Select(c => c.Create)];
        foreach (var create in called.Length > 0 ? called : Commands.Select(c => c.Create))
            root.Add(create());
        var command = root.Parse(args);
        if (command.Errors.Count > 0 && command.Action is not System.CommandLine.Help.HelpAction)
        {
            foreach (var error in command.Errors)
                await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
            await Console
                .Error.WriteLineAsync(
                    $"See 'lockstep {(command.CommandResult.Command is RootCommand ? "" : command.CommandResult.Command.Name + " ")}--help'."
                )
                .ConfigureAwait(false);
            return ExitCodes.Usage;
        }

        try
        {
            return await command.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }).ConfigureAwait(false);
        }
        catch (Exception e)
            when (e is LockstepException or OperationCanceledException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            if (e is not OperationCanceledException)
                await Console.Error.WriteLineAsync("lockstep: " + Describe(e)).ConfigureAwait(false);
            return ExitCodes.Of(e);
        }
    }

    private static string Describe(Exception e) =>
        e is LockstepException known ? $"{known.Message}\n{known.Remedy.Render(ShellWords.Say)} [{known.ErrorId}]" : e.Message;
}
