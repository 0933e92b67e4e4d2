using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>lockstep var watch: each value as it becomes active.</summary>
internal static class WatchCommand
{
    public static Command Create(StoreOptions store)
    {
        var names = new Argument<string[]>("name")
        {
            Description = "The variables; Lockstep waits for one that has no value yet.",
            Arity = ArgumentArity.OneOrMore,
        };
        var current = new Option<bool>("--include-current") { Description = "Also print the values that are active at the start." };
        var first = new Option<long?>("--first") { Description = "End after this many.", HelpName = "N" };
        var command = new Command("watch", "Print each value at the instant at which it becomes active, until Ctrl+C.")
        {
            names,
            current,
            first,
        };
        command.SetAction(
            (result, cancellationToken) =>
                store.UseAsync(
                    result,
                    null,
                    async opened =>
                    {
                        var lines = store.Lines(result);
                        var left = OptionValue.AtLeast(1, result, first) ?? long.MaxValue;
                        try
                        {
                            var notices = TickWatch.RunAsync(
                                opened,
                                [.. result.GetValue(names)!.Distinct()],
                                result.GetValue(current),
                                cancellationToken: cancellationToken
                            );
                            await foreach (var notice in notices.ConfigureAwait(false))
                            {
                                if (notice is TickWarned warned)
                                {
                                    LineLimit.OfErrors.Write("variables", null, "lockstep: " + warned.Message);
                                }
                                else if (notice is TickActivated { Activation: { Tuple: { } tuple } activation })
                                {
                                    lines.WriteSwitch(activation, tuple);
                                    if (--left <= 0)
                                        break;
                                }
                            }
                        }
                        catch (OperationCanceledException)
                        {
                            // Ctrl+C and SIGTERM are the normal ways to end watching.
                        }

                        return ExitCodes.Ok;
                    },
                    cancellationToken
                )
        );
        return command;
    }
}
