using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Lockstep.Cli.Commands;
using Lockstep.Cli.Commands.Gossip;
using Lockstep.Cli.Commands.Variables;
using Lockstep.Cli.Output;
using Lockstep.Engine;

namespace Lockstep.Cli;

/// <summary>The lockstep command: the engine from a shell. Contains no logic that could be in the engine.</summary>
internal static class Program
{
    internal static readonly (string Name, Func<Command> Create)[] Commands =
    [
        ("sync", SyncCommand.Create),
        ("records", RecordsCommand.Create),
        ("tables", TablesCommand.Create),
        ("test", CompareCommands.CreateTest),
        ("repair", CompareCommands.CreateRepair),
        ("backup", BackupCommand.Create),
        ("clear", ClearCommand.Create),
        ("index", IndexCommand.Create),
        ("var", VarCommand.Create),
        ("track", TrackCommand.Create),
        ("serve", ServeCommand.Create),
        ("testserver", TestServerCommand.Create),
        ("gossip", GossipCommand.Create),
        ("quickstart", QuickstartCommand.Create),
    ];

    /// <summary>Prints everything known about an error.</summary>
    private static readonly Option<bool> Debug = new("--debug")
    {
        Description = "On failure, print everything known about the error, for a report.",
        Recursive = true,
    };

    private static readonly InvocationConfiguration Invocation = new()
    {
        EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = null,
    };

    /// <summary>Always ends with an exit code and a line, never with an unhandled exception.</summary>
    private static async Task<int> Main(string[] args)
    {
        PlainWriter.Install();
        var isDebug = args.Contains(Debug.Name, StringComparer.Ordinal);
        // Lines that are printed verbatim are not altered.
        var isJson = args.Contains("--json", StringComparer.Ordinal) && args[0] != "records";
        // An error on another thread bypasses the handler below.
        AppDomain.CurrentDomain.UnhandledException += (_, e) => Environment.Exit(ErrorText.Tell(e.ExceptionObject, isDebug, isJson));
        try
        {
            return await RunAsync(args).ConfigureAwait(false);
        }
        // CA1031: the outermost handler.
#pragma warning disable CA1031
        catch (Exception e)
#pragma warning restore CA1031
        {
            return ErrorText.Tell(e, isDebug, isJson);
        }
    }

    /// <summary>Runs a command; its exceptions are not handled.</summary>
    internal static async Task<int> RunAsync(string[] args)
    {
        if (args is ["help", .. var called])
            args = [.. called, "--help"];
        var command = Parse(args);
        var isHelp = command.Action is System.CommandLine.Help.HelpAction;
        var isMisspelt = command.CommandResult.Command.Subcommands.Count > 0 && command.UnmatchedTokens.Count > 0;
        if ((!isHelp || isMisspelt) && UsageText.Of(command).ToArray() is { Length: > 0 } lines)
        {
            foreach (var line in lines)
                await Console.Error.WriteLineAsync(line).ConfigureAwait(false);
            if (args.Contains("--json", StringComparer.Ordinal))
                JsonFailure.Tell(new ArgumentException(lines[0]));
            return ExitCodes.Usage;
        }

        if (isHelp)
        {
            using var help = new StringWriter();
            var exitCode = await command.InvokeAsync(new InvocationConfiguration { Output = help }).ConfigureAwait(false);
            await Console.Out.WriteAsync(HelpText.Correct(help.ToString(), command.CommandResult.Command)).ConfigureAwait(false);
            return exitCode;
        }

        if (command.Action is not AsynchronousCommandLineAction)
            return await command.InvokeAsync(Invocation).ConfigureAwait(false);
        using var termination = new Termination();
        return await termination.WaitAsync(command.InvokeAsync(Invocation, termination.Token)).ConfigureAwait(false);
    }

    /// <summary>Parses a command line; does nothing yet.</summary>
    internal static ParseResult Parse(string[] args)
    {
        var root = new RootCommand("Keeps local tables in sync with records that change elsewhere.") { Debug };
        foreach (var option in LogOptions.All)
            root.Add(option);
        // Building a command with its options takes longer than running some of them, so only the called one is built.
        Func<Command>[] called = [.. Commands.Where(c => args.Length > 0 && c.Name == args[0]).Select(c => c.Create)];
        foreach (var create in called.Length > 0 ? called : Commands.Select(c => c.Create))
            root.Add(create());
        // A value may begin with @: it does not name a response file.
        return root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
    }
}
