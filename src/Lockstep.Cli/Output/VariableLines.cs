using System.Globalization;
using System.Text.Json;
using Lockstep.Ticks;

namespace Lockstep.Cli.Output;

/// <summary>Prints variables and their values, for people or for machines.</summary>
internal sealed class VariableLines(bool json)
{
    private readonly Stream _output = Console.OpenStandardOutput();
    private readonly TextTable _table = new(Console.Out);

    /// <summary>Prints a variable's value: for people only the value, and text without quotes, as a shell expects.</summary>
    public void WriteValue(string variable, TickReading reading)
    {
        if (json)
        {
            WriteLine(writer => Write(writer, variable, reading));
            return;
        }

        using var value = JsonDocument.Parse(reading.Schedule.ActiveAt(reading.StoreTime)?.Json ?? "null");
        Console.WriteLine(
            value.RootElement.ValueKind == JsonValueKind.String ? value.RootElement.GetString()! : value.RootElement.GetRawText()
        );
    }

    /// <summary>Prints what a change does to a variable, and when.</summary>
    public void WriteChange(string variable, TickOperation operation)
    {
        var gone = operation.Action switch
        {
            TickAction.Remove => "removed",
            TickAction.Purge => "purged",
            _ => null,
        };
        if (json)
        {
            WriteLine(writer => Write(writer, variable, operation.Tuple, gone ?? "pending"));
        }
        else
        {
            var note = operation.MovedFrom is { } moved ? $"moved from {Instant(moved)}" : gone;
            Console.WriteLine(
                $"{Instant(operation.Tuple.ActiveAt)}  {variable}  "
                    + $"{CliJson.Compact(operation.Tuple.Json)}{(note is null ? "" : $"  ({note})")}"
            );
        }
    }

    /// <summary>Prints whether a percentage includes a key: for people only that.</summary>
    public void WriteInclusion(TickPercentage percentage, string key)
    {
        if (!json)
        {
            Console.WriteLine(percentage.Includes(key) ? "true" : "false");
            return;
        }

        WriteLine(writer =>
        {
            writer.WriteString("name", percentage.Variable);
            writer.WriteString("for", key);
            writer.WriteBoolean("isIncluded", percentage.Includes(key));
            writer.WriteNumber("percent", percentage.Percent);
            writer.WriteNumber("position", percentage.PositionOf(key));
        });
    }

    /// <summary>Prints a value that has become active.</summary>
    public void WriteSwitch(TickActivation activation, TickTuple tuple)
    {
        if (json)
            WriteLine(writer => Write(writer, activation.Variable, tuple, "current", activation.SwitchedAt));
        else
            Console.WriteLine($"{Instant(activation.SwitchedAt)}  {activation.Variable}  {CliJson.Compact(tuple.Json)}");
    }

    /// <summary>Adds a variable's current and next value to the list.</summary>
    public void Add(string variable, TickReading reading)
    {
        if (json)
        {
            WriteLine(writer => Write(writer, variable, reading));
            return;
        }

        var active = reading.Schedule.ActiveAt(reading.StoreTime);
        var next = reading.Schedule.NextAfter(reading.StoreTime);
        _table.Add(
            new Dictionary<string, string>
            {
                ["Name"] = variable,
                ["Value"] = active?.Json ?? "null",
                ["ActiveAt"] = active is null ? "" : Instant(active.ActiveAt),
                ["Tick"] = $"{reading.Schedule.TickAt(reading.StoreTime)}",
                ["Next"] = next?.Json ?? "",
                ["NextActiveAt"] = next is null ? "" : Instant(next.ActiveAt),
            }
        );
    }

    /// <summary>Adds a variable's past, current and pending values to the list.</summary>
    public void AddSchedule(string variable, TickReading reading)
    {
        var active = reading.Schedule.ActiveAt(reading.StoreTime);
        foreach (var tuple in reading.Schedule.Tuples)
        {
            var state =
                tuple == active ? "current"
                : tuple.ActiveAt <= reading.StoreTime ? "past"
                : "pending";
            if (json)
            {
                WriteLine(writer => Write(writer, variable, tuple, state));
            }
            else
            {
                _table.Add(
                    new Dictionary<string, string>
                    {
                        ["Name"] = variable,
                        ["State"] = state,
                        ["ActiveAt"] = Instant(tuple.ActiveAt),
                        ["Value"] = tuple.Json,
                        ["Tick"] = $"{tuple.Tick}",
                    }
                );
            }
        }
    }

    /// <summary>Finishes the list.</summary>
    public void Finish() => _table.Finish();

    private void WriteLine(Action<Utf8JsonWriter> members) => JsonLines.Write(_output, members);

    private static void Write(Utf8JsonWriter writer, string variable, TickReading reading)
    {
        var active = reading.Schedule.ActiveAt(reading.StoreTime);
        var next = reading.Schedule.NextAfter(reading.StoreTime);
        writer.WriteString("name", variable);
        WriteJson(writer, "value", active?.Json);
        writer.WriteString("activeAt", active is null ? null : Instant(active.ActiveAt));
        writer.WriteNumber("tickSeconds", reading.Schedule.TickAt(reading.StoreTime).TotalSeconds);
        WriteJson(writer, "nextValue", next?.Json);
        writer.WriteString("nextActiveAt", next is null ? null : Instant(next.ActiveAt));
    }

    private static void Write(Utf8JsonWriter writer, string variable, TickTuple tuple, string state, DateTimeOffset? switchedAt = null)
    {
        writer.WriteString("name", variable);
        writer.WriteString("state", state);
        writer.WriteString("activeAt", Instant(tuple.ActiveAt));
        if (switchedAt is { } at)
            writer.WriteString("switchedAt", Instant(at));
        WriteJson(writer, "value", tuple.Json);
        writer.WriteNumber("tickSeconds", tuple.Tick.TotalSeconds);
    }

    /// <summary>Writes JSON on one line, whatever line breaks it was stored with.</summary>
    private static void WriteJson(Utf8JsonWriter writer, string name, string? json)
    {
        using var value = JsonDocument.Parse(json ?? "null");
        writer.WritePropertyName(name);
        value.RootElement.WriteTo(writer);
    }

    private static string Instant(DateTimeOffset instant) =>
        instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
