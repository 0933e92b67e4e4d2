using System.CommandLine;
using System.Text;
using System.Text.Json;
using Lockstep.Cli.Output;
using Lockstep.Engine.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep records: reads a table file.</summary>
internal static class RecordsCommand
{
    public static Command Create()
    {
        var table = new TableOptions();
        var key = new Option<string[]>("--key", "-k")
        {
            Description = "Only the records of these keys.",
            HelpName = "KEY",
            AllowMultipleArgumentsPerToken = true,
        };
        var filter = new Option<string?>("--filter")
        {
            Description = "One SQL expression over the fields, such as \"port > 1000\".",
            HelpName = "SQL",
        };
        var parameter = new Option<string[]>("--filter-parameter")
        {
            Description =
                "A value for a filter parameter: a number, true, false or null as JSON writes it; anything else, "
                + "0042 and 9e5 too, is text.",
            HelpName = "NAME=VALUE",
        };
        var text = new Option<string[]>("--filter-text")
        {
            Description = "A filter parameter that is always text.",
            HelpName = "NAME=TEXT",
        };
        var since = new Option<long?>("--since")
        {
            Description = "Only what changed after this sequence number, in the order of the changes.",
            HelpName = "N",
        };
        var deleted = new Option<bool>("--include-deleted") { Description = "Deleted records as well." };
        var first = new Option<long?>("--first") { Description = "At most so many.", HelpName = "N" };
        var skip = new Option<long>("--skip") { Description = "Skip this many.", HelpName = "N" };
        var quarantined = new Option<bool>("--quarantined") { Description = "Print the quarantined records instead." };
        var json = new Option<bool>("--json") { Description = "Print each record as it came, one per line." };

        var command = new Command("records", "Print the records of a table.");
        table.AddTo(command);
        foreach (var option in (Option[])[key, filter, parameter, text, since, deleted, first, skip, quarantined, json])
            command.Options.Add(option);
        command.SetAction(result =>
        {
            var found = table.Find(result);
            TableOptions.WarnOfLoad(found.GetInfo());
            if (result.GetValue(quarantined))
            {
                PrintQuarantined(found, result.GetValue(json));
                return ExitCodes.Ok;
            }

            var query = new RecordQuery
            {
                Keys = result.GetValue(key) is { Length: > 0 } keys ? [.. keys.Select(k => (IReadOnlyList<object>)[k])] : null,
                Filter = result.GetValue(filter),
                FilterParameters = FilterArguments.Read(result.GetValue(parameter), result.GetValue(text)),
                Since = OptionValue.AtLeast(0, result, since),
                IncludeDeleted = result.GetValue(deleted),
                First = OptionValue.AtLeast(0, result, first),
                Skip = OptionValue.AtLeast(0, result, skip),
            };
            using var scan = found.Read(query);
            if (result.GetValue(json))
            {
                PrintLines(scan);
            }
            else
            {
                PrintTable(scan, found);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static void PrintTable(IRecordScan scan, ITable table)
    {
        var text = new TextTable(Console.Out);
        try
        {
            while (scan.Read())
                text.Add(scan.Json);
        }
        catch (JsonException e)
        {
            throw TableFileErrors.DamagedRecord(table.GetInfo().Location, scan.Key, e);
        }
        finally
        {
            text.Finish();
        }

        if (text.IsCut)
            Console.Error.WriteLine($"lockstep: Records have more than {TextTable.MostColumns} fields. --json prints all.");
    }

    private static void PrintLines(IRecordScan scan)
    {
        using var output = new BufferedStream(Console.OpenStandardOutput(), 64 * 1024);
        while (scan.Read())
        {
            RecordJson.Write(scan.CheckedJson, output);
            output.WriteByte((byte)'\n');
        }
    }

    private static void PrintQuarantined(ITable table, bool json)
    {
        using var output = Console.OpenStandardOutput();
        var text = new TextTable(Console.Out);
        foreach (var record in table.ReadQuarantined())
        {
            var bytes = Encoding.UTF8.GetString(record.Bytes.Span);
            if (json)
            {
                JsonLines.Write(
                    output,
                    writer =>
                    {
                        writer.WriteString("at", record.At);
                        writer.WriteNumber("byteOffset", record.ByteOffset);
                        writer.WriteString("reason", record.Reason);
                        writer.WriteString("bytes", bytes);
                    }
                );
            }
            else
            {
                text.Add(
                    new Dictionary<string, string>
                    {
                        ["at"] = $"{record.At:u}",
                        ["byteOffset"] = $"{record.ByteOffset}",
                        ["reason"] = record.Reason,
                        ["bytes"] = bytes,
                    }
                );
            }
        }

        text.Finish();
    }
}
