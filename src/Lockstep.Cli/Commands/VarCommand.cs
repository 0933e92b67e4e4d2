using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Ticks;
using Lockstep.Postgres.Ticks;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep var: variables that switch at the same instant on every process.</summary>
internal static class VarCommand
{
    /// <summary>The environment variable that names the store where no option does: a password is then not among the arguments, which others can see (I9).</summary>
    private const string StoreVariable = "LOCKSTEP_STORE";

    private static readonly JsonSerializerOptions OneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var store = new Option<string?>("--store", "-s")
        {
            Description = "Where the variables are: an SQLite file, or a connection string or URI of PostgreSQL. Default: LOCKSTEP_STORE.", HelpName = "STORE", Recursive = true,
        };
        var json = new Option<bool>("--json") { Description = "Print JSON, one object a line.", Recursive = true };
        return new Command("var", "Read, set and watch variables that every process switches at the same instant.")
        {
            store, json, CreateGet(store, json), CreateSet(store, json), CreateList(store, json), CreateWatch(store, json),
        };
    }

    private static Command CreateGet(Option<string?> store, Option<bool> json)
    {
        var name = new Argument<string>("name") { Description = "The variable." };
        var command = new Command("get", "Print a variable's value: text as it is, anything else as JSON; null while none is active.") { name };
        command.SetAction((result, cancellationToken) => WithStoreAsync(result.GetValue(store), null, async opened =>
        {
            string variable = result.GetValue(name)!;
            TickReading reading = await opened.ReadAsync(variable, cancellationToken).ConfigureAwait(false);
            if (reading.Schedule.Tuples.Count == 0)
            {
                await Console.Error.WriteLineAsync($"lockstep: There is no variable '{variable}' in {opened.Description}.").ConfigureAwait(false);
                return ExitCodes.Error;
            }

            if (result.GetValue(json)) WriteLine(writer => Write(writer, variable, reading));
            else Console.WriteLine(Text(reading.Schedule.ActiveAt(reading.StoreTime)?.Json));
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command CreateSet(Option<string?> store, Option<bool> json)
    {
        var name = new Argument<string>("name") { Description = "The variable; its first value makes it, and the store's file if it is not there." };
        var value = new Argument<string?>("value") { Description = "The value, as JSON: 5, true, '\"text\"', '{\"a\":1}'.", Arity = ArgumentArity.ZeroOrOne };
        var text = new Option<bool>("--text") { Description = "Take the value as text, whatever it looks like." };
        var activeAt = new Option<DateTimeOffset?>("--active-at") { Description = "When to become active, at the first boundary from then on. Default: as soon as every process can know.", HelpName = "TIME" };
        Option<TimeSpan?> tick = Duration("--tick", "How often processes look for changes from then on. Default: as before.");
        Option<TimeSpan?> defaultTick = Duration("--default-tick", "The tick of variables before their first value, if this makes the store. Default: 10s.");
        var replace = new Option<bool>("--replace") { Description = "Replace a value that is already pending for that boundary." };
        var from = new Option<decimal?>("--from") { Description = "Instead of a value: the number that a ramp starts with.", HelpName = "N" };
        var to = new Option<decimal?>("--to") { Description = "The number that it ends with.", HelpName = "N" };
        Option<TimeSpan?> over = Duration("--over", "How long it takes.");
        var steps = new Option<int?>("--steps") { Description = "How many steps it has. Default: steps of 1, or as many as there are ticks.", HelpName = "N" };

        var command = new Command("set", "Set a variable, or schedule values, and print when each becomes active.")
        {
            name, value, text, activeAt, tick, defaultTick, replace, from, to, over, steps,
        };
        command.SetAction((result, cancellationToken) =>
        {
            string? given = result.GetValue(value);
            bool ramps = result.GetValue(from) is not null || result.GetValue(to) is not null || result.GetValue(over) is not null || result.GetValue(steps) is not null;
            if (given is null != ramps) throw new ArgumentException("Give either a value, or --from, --to and --over.");
            TickRamp? ramp = !ramps ? null
                : result.GetValue(from) is { } first && result.GetValue(to) is { } last && result.GetValue(over) is { } span ? new TickRamp(first, last, span, result.GetValue(steps))
                : throw new ArgumentException("A ramp needs --from, --to and --over.");
            string? valueJson = given is null ? null : result.GetValue(text) ? JsonSerializer.Serialize(given) : CheckJson(given);

            TickSettings create = TickSettings.Default with { DefaultTick = result.GetValue(defaultTick) ?? TickSettings.Default.DefaultTick };
            return WithStoreAsync(result.GetValue(store), create, async opened =>
            {
                var editor = new TickEditor(opened);
                string variable = result.GetValue(name)!;
                TickChange change = ramp is not null
                    ? await editor.RampAsync(variable, ramp, result.GetValue(activeAt), result.GetValue(tick), cancellationToken).ConfigureAwait(false)
                    : await editor.SetAsync(variable, valueJson!, result.GetValue(activeAt), result.GetValue(tick), result.GetValue(replace), cancellationToken).ConfigureAwait(false);
                foreach (TickOperation operation in change.Operations.Where(operation => operation.Action is TickAction.Set or TickAction.Move))
                {
                    if (result.GetValue(json)) WriteLine(writer => Write(writer, variable, operation.Tuple, "pending"));
                    else Console.WriteLine($"{Instant(operation.Tuple.ActiveAt)}  {variable}  {Compact(operation.Tuple.Json)}{(operation.MovedFrom is { } moved ? $"  (moved from {Instant(moved)})" : "")}");
                }

                if (change.IsLate) await Console.Error.WriteLineAsync("lockstep: The store was slow: some process may take up the change one tick late.").ConfigureAwait(false);
                return ExitCodes.Ok;
            }, cancellationToken);
        });
        return command;
    }

    private static Command CreateList(Option<string?> store, Option<bool> json)
    {
        var names = new Argument<string[]>("name") { Description = "Variables whose schedules to print, instead of the values of all.", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("list", "List all variables with their values; or the past, current and pending values of some.") { names };
        command.SetAction((result, cancellationToken) => WithStoreAsync(result.GetValue(store), null, async opened =>
        {
            bool schedules = result.GetValue(names) is { Length: > 0 };
            IReadOnlyList<string> variables = schedules ? result.GetValue(names)! : await opened.ListAsync(cancellationToken).ConfigureAwait(false);
            var table = new TextTable(Console.Out);
            foreach (string variable in variables)
            {
                TickReading reading = await opened.ReadAsync(variable, cancellationToken).ConfigureAwait(false);
                if (!schedules)
                {
                    if (result.GetValue(json)) WriteLine(writer => Write(writer, variable, reading));
                    else table.Add(Row(variable, reading));
                    continue;
                }

                TickTuple? active = reading.Schedule.ActiveAt(reading.StoreTime);
                foreach (TickTuple tuple in reading.Schedule.Tuples)
                {
                    string state = tuple == active ? "current" : tuple.ActiveAt <= reading.StoreTime ? "past" : "pending";
                    if (result.GetValue(json)) WriteLine(writer => Write(writer, variable, tuple, state));
                    else table.Add(new Dictionary<string, string> { ["Name"] = variable, ["State"] = state, ["ActiveAt"] = Instant(tuple.ActiveAt), ["Value"] = tuple.Json, ["Tick"] = $"{tuple.Tick}" });
                }
            }

            table.Finish();
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command CreateWatch(Option<string?> store, Option<bool> json)
    {
        var names = new Argument<string[]>("name") { Description = "The variables; one that has no value yet is waited for.", Arity = ArgumentArity.OneOrMore };
        var current = new Option<bool>("--include-current") { Description = "Print the values that are active at the start, too." };
        var first = new Option<long?>("--first") { Description = "End after so many.", HelpName = "N" };
        var command = new Command("watch", "Print each value at the instant at which it becomes active, until Ctrl+C.") { names, current, first };
        command.SetAction((result, cancellationToken) => WithStoreAsync(result.GetValue(store), null, async opened =>
        {
            long left = result.GetValue(first) ?? long.MaxValue;
            try
            {
                IAsyncEnumerable<TickNotice> notices = TickWatch.RunAsync(
                    opened, [.. result.GetValue(names)!.Distinct()], result.GetValue(current), cancellationToken: cancellationToken);
                await foreach (TickNotice notice in notices.ConfigureAwait(false))
                {
                    if (notice is TickWarned warned)
                    {
                        await Console.Error.WriteLineAsync("lockstep: " + warned.Message).ConfigureAwait(false);
                    }
                    else if (notice is TickActivated { Activation: { Tuple: { } tuple } activation })
                    {
                        if (result.GetValue(json)) WriteLine(writer => Write(writer, activation.Variable, tuple, "current", activation.SwitchedAt));
                        else Console.WriteLine($"{Instant(activation.SwitchedAt)}  {activation.Variable}  {Compact(tuple.Json)}");
                        if (--left <= 0) break;
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // Ctrl+C and SIGTERM are how one ends watching.
            }

            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static async Task<int> WithStoreAsync(string? named, TickSettings? create, Func<ITickStore, Task<int>> use, CancellationToken cancellationToken)
    {
        string name = named ?? Environment.GetEnvironmentVariable(StoreVariable) ?? throw new ArgumentException($"Name the store with --store, or in {StoreVariable}.");
        if (name == "memory") throw new ArgumentException("A store in memory would end with this command. Name a file or a database; a file of that name is ./memory.");
        ITickStore store = await TickStoreName.OpenAsync(name, create, cancellationToken).ConfigureAwait(false);
        await using (store.ConfigureAwait(false)) return await use(store).ConfigureAwait(false);
    }

    private static Option<TimeSpan?> Duration(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        CustomParser = argument =>
        {
            if (DurationText.TryParse(argument.Tokens[0].Value, out TimeSpan duration)) return duration;
            argument.AddError($"{name} takes a length of time: 90 (seconds), 500ms, 2h or 00:01:30.");
            return null;
        },
    };

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

    private static Dictionary<string, string> Row(string variable, TickReading reading)
    {
        TickTuple? active = reading.Schedule.ActiveAt(reading.StoreTime);
        TickTuple? next = reading.Schedule.NextAfter(reading.StoreTime);
        return new()
        {
            ["Name"] = variable,
            ["Value"] = active?.Json ?? "null",
            ["ActiveAt"] = active is null ? "" : Instant(active.ActiveAt),
            ["Tick"] = $"{reading.Schedule.TickAt(reading.StoreTime)}",
            ["Next"] = next?.Json ?? "",
            ["NextActiveAt"] = next is null ? "" : Instant(next.ActiveAt),
        };
    }

    private static void Write(Utf8JsonWriter writer, string variable, TickReading reading)
    {
        TickTuple? active = reading.Schedule.ActiveAt(reading.StoreTime);
        TickTuple? next = reading.Schedule.NextAfter(reading.StoreTime);
        writer.WriteString("name", variable);
        writer.WritePropertyName("value");
        WriteValue(writer, active?.Json);
        writer.WriteString("activeAt", active is null ? null : Instant(active.ActiveAt));
        writer.WriteNumber("tickSeconds", reading.Schedule.TickAt(reading.StoreTime).TotalSeconds);
        writer.WritePropertyName("nextValue");
        WriteValue(writer, next?.Json);
        writer.WriteString("nextActiveAt", next is null ? null : Instant(next.ActiveAt));
    }

    private static void Write(Utf8JsonWriter writer, string variable, TickTuple tuple, string state, DateTimeOffset? switchedAt = null)
    {
        writer.WriteString("name", variable);
        writer.WriteString("state", state);
        writer.WriteString("activeAt", Instant(tuple.ActiveAt));
        if (switchedAt is { } at) writer.WriteString("switchedAt", Instant(at));
        writer.WritePropertyName("value");
        WriteValue(writer, tuple.Json);
        writer.WriteNumber("tickSeconds", tuple.Tick.TotalSeconds);
    }

    private static void WriteLine(Action<Utf8JsonWriter> members)
    {
        using Stream output = Console.OpenStandardOutput();
        JsonLines.Write(output, members);
    }

    /// <summary>On one line, whatever line breaks it was stored with.</summary>
    private static void WriteValue(Utf8JsonWriter writer, string? json)
    {
        using JsonDocument value = JsonDocument.Parse(json ?? "null");
        value.RootElement.WriteTo(writer);
    }

    /// <inheritdoc cref="WriteValue"/>
    private static string Compact(string json) => JsonSerializer.Serialize(JsonElement.Parse(json), OneLine);

    /// <summary>Text without its quotes, as a shell wants it.</summary>
    private static string Text(string? json)
    {
        using JsonDocument value = JsonDocument.Parse(json ?? "null");
        return value.RootElement.ValueKind == JsonValueKind.String ? value.RootElement.GetString()! : value.RootElement.GetRawText();
    }

    private static string Instant(DateTimeOffset instant) => instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
