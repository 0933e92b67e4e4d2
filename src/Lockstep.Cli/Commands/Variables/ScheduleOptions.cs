using System.CommandLine;
using System.Text.Json;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>What the commands that set values share: how a value is written, when it becomes active, and what is printed.</summary>
internal sealed class ScheduleOptions
{
    private readonly Option<bool> _text = new("--text") { Description = "Treat each value as text." };
    private readonly Option<DateTimeOffset?> _activeAt = new("--active-at")
    {
        Description = "When it becomes active: at the first boundary from then on. Default: as soon as every process can know.",
        HelpName = "TIME",
    };
    private readonly Option<TimeSpan?> _tick = Duration(
        "--tick",
        "How often processes poll from then on. Default: as before. The first value of a variable waits for the store's default tick."
    );
    private readonly Option<TimeSpan?> _defaultTick = Duration(
        "--default-tick",
        "The tick of variables before their first value, if this creates the store. Default: 10s."
    );
    private readonly Option<bool> _replace = new("--replace")
    {
        Description = "Replace a value that is already pending for that boundary.",
    };

    public void AddTo(Command command)
    {
        command.Add(_text);
        command.Add(_activeAt);
        command.Add(_tick);
        command.Add(_defaultTick);
        command.Add(_replace);
    }

    public DateTimeOffset? ActiveAt(ParseResult result) => result.GetValue(_activeAt);

    public TimeSpan? Tick(ParseResult result) => result.GetValue(_tick);

    public bool Replace(ParseResult result) => result.GetValue(_replace);

    /// <summary>The settings of a store that the command creates.</summary>
    public TickSettings NewStore(ParseResult result) =>
        TickSettings.Default with
        {
            DefaultTick = result.GetValue(_defaultTick) ?? TickSettings.Default.DefaultTick,
        };

    /// <summary>A value as JSON.</summary>
    /// <exception cref="ArgumentException">It is not JSON.</exception>
    public string ReadValue(ParseResult result, string value)
    {
        if (result.GetValue(_text))
            return CliJson.Quote(value);
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

    /// <summary>Prints the schedule of a variable, and warns if some process may learn of it late.</summary>
    public async Task TellAsync(ParseResult result, VariableLines lines, TickChange change)
    {
        if (ActiveAt(result) is { } wanted && wanted < change.Before.StoreTime)
        {
            await Console
                .Error.WriteLineAsync(
                    $"lockstep: --active-at is past on the store's clock: '{change.Variable}' changes as soon as every "
                        + $"process can know of it."
                )
                .ConfigureAwait(false);
        }

        if (change.WaitsForDefaultTick)
        {
            await Console
                .Error.WriteLineAsync(
                    $"lockstep: '{change.Variable}' is new. Processes look for a variable that has no value every "
                        + $"{change.Before.Settings.DefaultTick}, so its first value waits for that; the tick of {change.Tuple!.Tick} "
                        + $"counts from then on."
                )
                .ConfigureAwait(false);
        }

        foreach (var operation in change.Operations.Where(operation => operation.Action is TickAction.Set or TickAction.Move))
            lines.WriteChange(change.Variable, operation);
        if (change.IsLate)
        {
            await Console
                .Error.WriteLineAsync("lockstep: The store was slow: some process may take up the change one tick late.")
                .ConfigureAwait(false);
        }
    }

    public static Option<TimeSpan?> Duration(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "TIME",
            CustomParser = argument =>
            {
                if (DurationText.TryParse(argument.Tokens[0].Value, out var duration))
                    return duration;
                argument.AddError($"{name} takes a duration: 90 (seconds), 500ms, 2h or 00:01:30.");
                return null;
            },
        };
}
