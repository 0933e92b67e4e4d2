using System.CommandLine;
using System.Text.Json;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>lockstep var set: a value, or a ramp of values.</summary>
internal static class SetCommand
{
    public static Command Create(StoreOptions store)
    {
        var name = new Argument<string>("name")
        {
            Description = "The variable; its first value makes it, and the store's file if it is not there.",
        };
        var value = new Argument<string?>("value")
        {
            Description = "The value, as JSON: 5, true, '\"text\"', '{\"a\":1}'.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var text = new Option<bool>("--text") { Description = "Take the value as text, whatever it looks like." };
        var activeAt = new Option<DateTimeOffset?>("--active-at")
        {
            Description = "When to become active, at the first boundary from then on. Default: as soon as every process can know.",
            HelpName = "TIME",
        };
        var tick = Duration("--tick", "How often processes look for changes from then on. Default: as before.");
        var defaultTick = Duration(
            "--default-tick",
            "The tick of variables before their first value, if this makes the store. Default: 10s."
        );
        var replace = new Option<bool>("--replace") { Description = "Replace a value that is already pending for that boundary." };
        var ramp = new RampOptions();

        var command = new Command("set", "Set a variable, or schedule values, and print when each becomes active.")
        {
            name,
            value,
            text,
            activeAt,
            tick,
            defaultTick,
            replace,
        };
        ramp.AddTo(command);
        command.SetAction(
            (result, cancellationToken) =>
            {
                var given = result.GetValue(value);
                if (given is null != ramp.IsGiven(result))
                    throw new ArgumentException("Give either a value, or --from, --to and --over.");
                var valueJson =
                    given is null ? null
                    : result.GetValue(text) ? CliJson.Quote(given)
                    : CheckJson(given);
                var steps = given is null ? ramp.Read(result) : null;

                var create = TickSettings.Default with { DefaultTick = result.GetValue(defaultTick) ?? TickSettings.Default.DefaultTick };
                return store.UseAsync(
                    result,
                    create,
                    async opened =>
                    {
                        var editor = new TickEditor(opened);
                        var variable = result.GetValue(name)!;
                        var change = steps is not null
                            ? await editor
                                .RampAsync(variable, steps, result.GetValue(activeAt), result.GetValue(tick), cancellationToken)
                                .ConfigureAwait(false)
                            : await editor
                                .SetAsync(
                                    variable,
                                    valueJson!,
                                    result.GetValue(activeAt),
                                    result.GetValue(tick),
                                    result.GetValue(replace),
                                    cancellationToken
                                )
                                .ConfigureAwait(false);
                        var lines = store.Lines(result);
                        foreach (
                            var operation in change.Operations.Where(operation => operation.Action is TickAction.Set or TickAction.Move)
                        )
                        {
                            lines.WritePending(variable, operation);
                        }

                        if (change.IsLate)
                        {
                            await Console
                                .Error.WriteLineAsync("lockstep: The store was slow: some process may take up the change one tick late.")
                                .ConfigureAwait(false);
                        }

                        return ExitCodes.Ok;
                    },
                    cancellationToken
                );
            }
        );
        return command;
    }

    private static string CheckJson(string value)
    {
        try
        {
            using var parsed = JsonDocument.Parse(value);
            return value;
        }
        catch (JsonException)
        {
            throw new ArgumentException("The value is not JSON. For text use --text, or JSON's quotes within the shell's: '\"blue\"'.");
        }
    }

    private static Option<TimeSpan?> Duration(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "TIME",
            CustomParser = argument =>
            {
                if (DurationText.TryParse(argument.Tokens[0].Value, out var duration))
                    return duration;
                argument.AddError($"{name} takes a length of time: 90 (seconds), 500ms, 2h or 00:01:30.");
                return null;
            },
        };

    /// <summary>What a ramp is told by.</summary>
    private sealed class RampOptions
    {
        private readonly Option<decimal?> _from = new("--from")
        {
            Description = "Instead of a value: the number that a ramp starts with.",
            HelpName = "N",
        };
        private readonly Option<decimal?> _to = new("--to") { Description = "The number that it ends with.", HelpName = "N" };
        private readonly Option<TimeSpan?> _over = Duration("--over", "How long it takes.");
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

        /// <summary>Whether anything of a ramp is given.</summary>
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
