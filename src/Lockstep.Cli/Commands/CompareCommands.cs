using System.CommandLine;
using System.Globalization;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>
/// lockstep test and lockstep repair: compare a table with its feed by reading both in full, and replace what differs. Meant for
/// schedulers: the exit code of the first says whether the two differ.
/// </summary>
internal static class CompareCommands
{
    public static Command CreateTest() =>
        Create(
            "test",
            "Compare a table with its feed, by a full read of both. Exit code 6: they differ.",
            async (comparison, options, json, quiet, cancellationToken) =>
            {
                var differences = await CountAsync(comparison, json, quiet, cancellationToken).ConfigureAwait(false);
                var areEqual = differences.Values.Sum() == 0;
                if (!quiet)
                    Report(comparison.Table, differences, json);
                if (!quiet && !json && !areEqual)
                    Console.WriteLine("'lockstep repair' with the same options replaces the table's records with the feed's.");
                return areEqual ? ExitCodes.Ok : ExitCodes.Different;
            }
        );

    public static Command CreateRepair() =>
        Create(
            "repair",
            "Compare a table with its feed; if they differ, replace the table's records with the feed's whole set, at once. Exit code 6: "
                + "that set could not be taken in full, so they may still differ.",
            async (comparison, options, json, quiet, cancellationToken) =>
            {
                var differences = await CountAsync(comparison, json: false, quiet: true, cancellationToken).ConfigureAwait(false);
                var areEqual = differences.Values.Sum() == 0;
                if (!quiet && (areEqual || !json))
                    Report(comparison.Table, differences, json);
                return areEqual
                    ? ExitCodes.Ok
                    : await SyncCommand
                        .RunAsync(options, new SyncReporter(json, changes: false, quiet), cancellationToken)
                        .ConfigureAwait(false);
            }
        );

    /// <summary>What a command compares.</summary>
    /// <param name="Table">The table's name.</param>
    /// <param name="Run">The comparison, not started.</param>
    private sealed record Comparison(string Table, TableComparison Run);

    private static Command Create(
        string name,
        string description,
        Func<Comparison, SyncOptions, bool, bool, CancellationToken, Task<int>> run
    )
    {
        var table = new TableOptions();
        var access = new CredentialOptions();
        var uri = new Option<Uri?>("--uri")
        {
            Description = "The feed. Default: the one that the table belongs to.",
            HelpName = "URI",
            CustomParser = SyncCommand.ParseUri,
        };
        var settle = new Option<double>("--settle-sec")
        {
            Description = "An endless feed counts as read when nothing more has come for this long.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 1,
        };
        var json = new Option<bool>("--json") { Description = "Print each difference, and last the result, as one line of JSON." };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Print only errors." };
        var command = new Command(name, description);
        table.AddTo(command);
        command.Options.Add(uri);
        command.Options.Add(settle);
        access.AddTo(command);
        command.Options.Add(json);
        command.Options.Add(quiet);
        command.SetAction(
            (result, cancellationToken) =>
            {
                var found = table.Find(result);
                var info = found.GetInfo();
                var feed =
                    result.GetValue(uri)
                    ?? (
                        info.Feed is { } own
                            ? new Uri(own)
                            : throw new ArgumentException("The table belongs to no feed: name one with --uri.")
                    );
                var options = new SyncOptions
                {
                    Feed = access.Reach(feed, result),
                    Store = table.Store(result) ?? new FileTableStore(info.Location),
                    TableName = info.Name,
                    Settle = OptionCheck.Seconds(result.GetValue(settle)),
                    Repair = name == "repair",
                };
                options.Validate(ShellWords.Say);
                return run(
                    new Comparison(info.Name, new TableComparison(options)),
                    options,
                    result.GetValue(json),
                    result.GetValue(quiet),
                    cancellationToken
                );
            }
        );
        return command;
    }

    private static async Task<Dictionary<DifferenceKind, long>> CountAsync(
        Comparison comparison,
        bool json,
        bool quiet,
        CancellationToken cancellationToken
    )
    {
        var counts = new Dictionary<DifferenceKind, long>();
        using var output = Console.OpenStandardOutput();
        var events = new SyncReporter(json: false, changes: true, quiet: false);
        await foreach (var step in comparison.Run.RunAsync(cancellationToken).ConfigureAwait(false))
        {
            if (step is not DifferenceFound { Difference: var difference })
            {
                // Only the warnings of the sync that reads the feed matter here.
                if (step is FeedEventOccurred { Event.Kind: FeedEventKind.Warning })
                    events.Report(step);
                continue;
            }

            counts[difference.Kind] = counts.GetValueOrDefault(difference.Kind) + 1;
            if (quiet)
                continue;
            if (!json)
            {
                Console.WriteLine(PlainText.Of($"{difference.Kind}: {difference.Key}"));
                continue;
            }

            JsonLines.Write(
                output,
                writer =>
                {
                    writer.WriteString("kind", difference.Kind.ToString());
                    writer.WriteString("key", difference.Key.ToString());
                    WriteRecord(writer, "expected", difference.Expected);
                    WriteRecord(writer, "actual", difference.Actual);
                }
            );
        }

        return counts;
    }

    private static void WriteRecord(System.Text.Json.Utf8JsonWriter writer, string name, ReadOnlyMemory<byte>? record)
    {
        writer.WritePropertyName(name);
        if (record is { } json)
            writer.WriteRawValue(RecordJson.Of(json.Span), skipInputValidation: true);
        else
            writer.WriteNullValue();
    }

    private static void Report(string table, Dictionary<DifferenceKind, long> counts, bool json)
    {
        if (!json)
        {
            Console.WriteLine(Describe(table, counts));
            return;
        }

        using var output = Console.OpenStandardOutput();
        JsonLines.Write(
            output,
            writer =>
            {
                writer.WriteString("table", table);
                foreach (var kind in Enum.GetValues<DifferenceKind>())
                    writer.WriteNumber(kind.ToString().ToLowerInvariant(), counts.GetValueOrDefault(kind));
                writer.WriteString("outcome", counts.Values.Sum() == 0 ? "Equal" : "Different");
            }
        );
    }

    private static string Describe(string table, Dictionary<DifferenceKind, long> counts)
    {
        long Count(DifferenceKind kind) => counts.GetValueOrDefault(kind);
        return PlainText.Of(
            counts.Values.Sum() == 0
                ? $"{table} equals its feed."
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{table} differs from its feed: {Count(DifferenceKind.Missing)} missing, {Count(DifferenceKind.Extra)} "
                        + $"extra, {Count(DifferenceKind.Different)} different."
                )
        );
    }
}
