using System.CommandLine;
using System.Text.Json;
using Lockstep.Cli.Output;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>lockstep var get and list: reads the store.</summary>
internal static class ReadCommands
{
    public static Command Get(StoreOptions store)
    {
        var name = new Argument<string>("name") { Description = "The variable." };
        var at = new Option<DateTimeOffset?>("--at")
        {
            Description = "The value at this time, as planned now. Default: now.",
            HelpName = "TIME",
        };
        var keys = new Option<string[]>("--for")
        {
            Description = "Of a variable that is a percentage: print whether this key is included, true or false; several, one per line.",
            HelpName = "KEY",
        };
        var command = new Command("get", "Print a variable's value: text as it is, anything else as JSON; null while none is active.")
        {
            name,
            at,
            keys,
        };
        command.SetAction(
            (result, cancellationToken) =>
                store.UseAsync(
                    result,
                    null,
                    async opened =>
                    {
                        var variable = result.GetValue(name)!;
                        var reading = await opened.ReadAsync(variable, cancellationToken).ConfigureAwait(false);
                        if (reading.Schedule.Tuples.Count == 0)
                            throw new CommandException($"There is no variable '{variable}' in {opened.Description}.");

                        var lines = store.Lines(result);
                        if (result.GetValue(at) is { } instant)
                            reading = reading with { StoreTime = instant };
                        if (result.GetValue(keys) is not { Length: > 0 } given)
                        {
                            lines.WriteValue(variable, reading);
                            return ExitCodes.Ok;
                        }

                        var percentage = Percentage(variable, reading);
                        foreach (var key in given)
                            lines.WriteInclusion(percentage, key);
                        return ExitCodes.Ok;
                    },
                    cancellationToken
                )
        );
        return command;
    }

    private static TickPercentage Percentage(string variable, TickReading reading)
    {
        try
        {
            return TickPercentage.Parse(variable, reading.Schedule.ActiveAt(reading.StoreTime)?.Json);
        }
        catch (JsonException e)
        {
            throw new ArgumentException(e.Message, e);
        }
    }

    public static Command List(StoreOptions store)
    {
        var names = new Argument<string[]>("name")
        {
            Description = "Variables whose schedules to print, instead of the values of all.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("list", "List all variables with their values; or the past, current and pending values of some.")
        {
            names,
        };
        command.SetAction(
            (result, cancellationToken) =>
                store.UseAsync(
                    result,
                    null,
                    async opened =>
                    {
                        var schedules = result.GetValue(names) is { Length: > 0 };
                        var variables = schedules
                            ? result.GetValue(names)!
                            : await opened.ListAsync(cancellationToken).ConfigureAwait(false);
                        var lines = store.Lines(result);
                        foreach (var variable in variables)
                        {
                            var reading = await opened.ReadAsync(variable, cancellationToken).ConfigureAwait(false);
                            if (schedules)
                                lines.AddSchedule(variable, reading);
                            else
                                lines.Add(variable, reading);
                        }

                        lines.Finish();
                        return ExitCodes.Ok;
                    },
                    cancellationToken
                )
        );
        return command;
    }
}
