using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Postgres;
using Lockstep.Postgres.Tracking;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep track: makes PostgreSQL tables report their changes, or stops it.</summary>
internal static class TrackCommand
{
    public static Command Create()
    {
        var names = new Argument<string[]>("table")
        {
            Description = "The tables, each as table or schema.table.",
            Arity = ArgumentArity.OneOrMore,
        };
        var postgres = new PostgresOption("Track tables of this database, as a user who owns them");
        var off = new Option<bool>("--off") { Description = "Remove what tracking added, including the column txid and tombstones." };
        var notify = new Option<bool>("--notify")
        {
            Description =
                "Changes notify servers, so that they look at once. Writers then wait for each other at their commits. "
                + "Without it servers look often while there is something new.",
        };
        var noNotify = new Option<bool>("--no-notify") { Description = "Changes of a table that was tracked with --notify no longer do." };
        var softDelete = new Option<bool?>("--soft-delete")
        {
            Description = "Rows in which a boolean column deleted is true are gone. Default: as it was; for a new one false, it is data.",
            HelpName = "true|false",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var plan = new Option<bool>("--plan") { Description = "Print the SQL that would be run, and change nothing." };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Print only warnings and errors." };
        var command = new Command("track", "Track changes of PostgreSQL tables, so that they can be served by polling.")
        {
            names,
            postgres.Option,
            off,
            notify,
            noNotify,
            softDelete,
            plan,
            quiet,
        };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var connection =
                    postgres.Read(result)
                    ?? throw new ArgumentException(
                        "Name the database with --postgres; without a value, it takes the one in " + PostgresOption.Variable + "."
                    );
                if (result.GetValue(notify) && result.GetValue(noNotify))
                    throw new ArgumentException("Give --notify or --no-notify, not both.");
                var isOff = result.GetValue(off);
                var options = new TrackingOptions
                {
                    Wake =
                        result.GetValue(notify) ? true
                        : result.GetValue(noNotify) ? false
                        : null,
                    SoftDelete = result.GetValue(softDelete),
                };
                if (isOff && options != new TrackingOptions())
                    throw new ArgumentException("--off takes everything away: it goes with none of --notify, --no-notify, --soft-delete.");
                var isPlan = result.GetValue(plan);
                foreach (var table in result.GetValue(names)!.Select(TableName.Parse).ToArray())
                {
                    var made = await ChangeAsync(connection, table, isOff ? null : options, isPlan, cancellationToken)
                        .ConfigureAwait(false);
                    if (made.Warning is { } warning)
                        await Console.Error.WriteLineAsync($"lockstep: {PlainText.Of(warning)}").ConfigureAwait(false);
                    if (isPlan)
                        Console.Write(made);
                    else if (!result.GetValue(quiet))
                        Console.WriteLine(PlainText.Of($"{table}: {Said(isOff, made.Statements.Count > 0)}."));
                }

                return ExitCodes.Ok;
            }
        );
        return command;
    }

    private static Task<TrackingPlan> ChangeAsync(
        string connection,
        TableName table,
        TrackingOptions? options,
        bool isPlan,
        CancellationToken cancellationToken
    ) =>
        (options, isPlan) switch
        {
            (null, true) => PostgresTracking.PlanDisableAsync(connection, table, cancellationToken),
            (null, false) => PostgresTracking.DisableAsync(connection, table, cancellationToken),
            (_, true) => PostgresTracking.PlanEnableAsync(connection, table, options, cancellationToken),
            (_, false) => PostgresTracking.EnableAsync(connection, table, options, cancellationToken),
        };

    private static string Said(bool isOff, bool isChanged) =>
        (isOff, isChanged) switch
        {
            (false, true) => "tracked",
            (false, false) => "tracked already",
            (true, true) => "no longer tracked",
            (true, false) => "was not tracked",
        };
}
