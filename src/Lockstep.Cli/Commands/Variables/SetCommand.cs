using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>lockstep var set: a value, or a ramp of values.</summary>
internal static class SetCommand
{
    public static Command Create(StoreOptions store)
    {
        var name = new Argument<string>("name")
        {
            Description = "The variable; its first value creates it, and the store's file if needed.",
        };
        var value = new Argument<string?>("value")
        {
            Description = "The value, as JSON: 5, true, '\"text\"', '{\"a\":1}'.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var schedule = new ScheduleOptions();
        var ramp = new RampOptions();

        var command = new Command("set", "Set a variable, or schedule values, and print when each becomes active.") { name, value };
        schedule.AddTo(command);
        ramp.AddTo(command);
        command.SetAction(
            (result, cancellationToken) =>
            {
                var given = result.GetValue(value);
                if (given is null != ramp.IsGiven(result))
                    throw new ArgumentException("Give either a value, or --from, --to and --over.");
                var json = given is null ? null : schedule.ReadValue(result, given);
                var steps = given is null ? ramp.Read(result) : null;
                return store.UseAsync(
                    result,
                    schedule.NewStore(result),
                    async opened =>
                    {
                        var editor = new TickEditor(opened);
                        var variable = result.GetValue(name)!;
                        var (activeAt, tick) = (schedule.ActiveAt(result), schedule.Tick(result));
                        var change = steps is not null
                            ? await editor.RampAsync(variable, steps, activeAt, tick, cancellationToken).ConfigureAwait(false)
                            : await editor
                                .SetAsync(variable, json!, activeAt, tick, schedule.Replace(result), cancellationToken)
                                .ConfigureAwait(false);
                        await schedule.TellAsync(result, store.Lines(result), change).ConfigureAwait(false);
                        return ExitCodes.Ok;
                    },
                    cancellationToken
                );
            }
        );
        return command;
    }

    /// <summary>The options of a ramp.</summary>
    private sealed class RampOptions
    {
        private readonly Option<decimal?> _from = new("--from")
        {
            Description = "Instead of a value: the number that a ramp starts with.",
            HelpName = "N",
        };
        private readonly Option<decimal?> _to = new("--to") { Description = "The number that it ends with.", HelpName = "N" };
        private readonly Option<TimeSpan?> _over = ScheduleOptions.Duration("--over", "How long it takes.");
        private readonly Option<int?> _steps = new("--steps")
        {
            Description = "How many steps it has. Default: steps of 1, or as many as there are ticks.",
            HelpName = "N",
        };

        public void AddTo(Command command)
        {
            command.Add(_from);
            command.Add(_to);
            command.Add(_over);
            command.Add(_steps);
        }

        /// <summary>Whether any option of a ramp is given.</summary>
        public bool IsGiven(ParseResult result) =>
            result.GetValue(_from) is not null
            || result.GetValue(_to) is not null
            || result.GetValue(_over) is not null
            || result.GetValue(_steps) is not null;

        public TickRamp Read(ParseResult result) =>
            result.GetValue(_from) is { } first && result.GetValue(_to) is { } last && result.GetValue(_over) is { } span
                ? new TickRamp(first, last, span, OptionValue.AtLeast(1, result, _steps))
                : throw new ArgumentException("A ramp needs --from, --to and --over.");
    }
}
