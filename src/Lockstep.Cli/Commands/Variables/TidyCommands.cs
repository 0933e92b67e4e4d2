using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>lockstep var remove, purge and reschedule: remove values from schedules, or correct them.</summary>
internal static class TidyCommands
{
    public static Command Remove(StoreOptions store)
    {
        var name = new Argument<string>("name") { Description = "The variable." };
        var activeAt = new Option<DateTimeOffset?>("--active-at")
        {
            Description = "When the value would become active, to the millisecond, as list prints it.",
            HelpName = "TIME",
        };
        var all = new Option<bool>("--all")
        {
            Description =
                "Remove the variable with all its values instead. Processes that use it find it gone when they next poll, "
                + "not at one instant.",
        };
        var command = new Command("remove", "Remove a value that is pending, or a whole variable, and print it.") { name, activeAt, all };
        command.SetAction(
            (result, cancellationToken) =>
            {
                if (result.GetValue(activeAt) is null != result.GetValue(all))
                    throw new ArgumentException("Use --active-at, or --all for the whole variable.");
                return store.UseAsync(
                    result,
                    null,
                    async opened =>
                    {
                        var variable = result.GetValue(name)!;
                        var editor = new TickEditor(opened);
                        var change = result.GetValue(activeAt) is { } instant
                            ? await editor.RemoveAsync(variable, instant, cancellationToken).ConfigureAwait(false)
                            : await editor.RemoveAllAsync(variable, cancellationToken).ConfigureAwait(false);
                        if (change is null)
                        {
                            throw new CommandException(
                                result.GetValue(all)
                                    ? $"There is no variable '{variable}' in {opened.Description}."
                                    : $"'{variable}' has no value that becomes active at {result.GetValue(activeAt):O}."
                            );
                        }

                        var lines = store.Lines(result);
                        foreach (var operation in change.Operations)
                            lines.WriteChange(variable, operation);
                        return ExitCodes.Ok;
                    },
                    cancellationToken
                );
            }
        );
        return command;
    }

    public static Command Purge(StoreOptions store)
    {
        var keep = new Option<int>("--keep")
        {
            Description = "How many past values of each variable stay.",
            HelpName = "N",
            DefaultValueFactory = _ => 5,
        };
        return OfEach(
            store,
            "purge",
            "Remove past values, and print them.",
            keep,
            (editor, variable, result, cancellationToken) => editor.PurgeAsync(variable, result.GetValue(keep), cancellationToken)
        );
    }

    public static Command Reschedule(StoreOptions store) =>
        OfEach(
            store,
            "reschedule",
            "Move pending values that something else wrote to the boundaries they belong to, and print them.",
            null,
            static (editor, variable, _, cancellationToken) => editor.RescheduleAsync(variable, cancellationToken)
        );

    private static Command OfEach(
        StoreOptions store,
        string name,
        string description,
        Option<int>? count,
        Func<TickEditor, string, ParseResult, CancellationToken, Task<TickChange?>> work
    )
    {
        var names = new Argument<string[]>("name") { Description = "The variables. Default: all.", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command(name, description) { names };
        if (count is not null)
            command.Add(count);
        command.SetAction(
            (result, cancellationToken) =>
            {
                if (count is not null)
                    OptionValue.AtLeast(0, result, count);
                return store.UseAsync(
                    result,
                    null,
                    async opened =>
                    {
                        var variables = result.GetValue(names) is { Length: > 0 } given
                            ? given
                            : await opened.ListAsync(cancellationToken).ConfigureAwait(false);
                        var lines = store.Lines(result);
                        foreach (var variable in variables)
                        {
                            var change = await work(new TickEditor(opened), variable, result, cancellationToken).ConfigureAwait(false);
                            foreach (var operation in change?.Operations ?? [])
                                lines.WriteChange(variable, operation);
                        }

                        return ExitCodes.Ok;
                    },
                    cancellationToken
                );
            }
        );
        return command;
    }
}
