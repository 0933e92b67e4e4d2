using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep clear: empties a table, or its quarantine.</summary>
internal static class ClearCommand
{
    public static Command Create()
    {
        var table = new TableOptions();
        var quarantined = new Option<bool>("--quarantined")
        {
            Description = "Empty only the quarantine, where malformed records were set aside; the table's records stay.",
        };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Print only errors." };
        var command = new Command(
            "clear",
            "Empty a table, and release the feed that it belongs to; or empty its quarantine. The table must be named."
        );
        table.AddTo(command);
        command.Options.Add(quarantined);
        command.Options.Add(quiet);
        command.SetAction(result =>
        {
            // A command that empties a table does not guess which one.
            if (table.Store(result) is not { } store)
                throw new ArgumentException("Name the table with --table or --path.");
            if (store is not FileTableStore && result.GetValue(table.Table) is null)
                throw new ArgumentException("Name the table with --table.");
            var found = table.Find(result);
            var info = found.GetInfo();
            string done;
            if (result.GetValue(quarantined))
            {
                done = FormattableString.Invariant($"{found.ClearQuarantined()} malformed records removed");
            }
            else
            {
                found.Clear();
                done = FormattableString.Invariant($"{info.Rows} records removed");
            }

            if (!result.GetValue(quiet))
                Console.WriteLine(PlainText.Of($"{info.Name}: {done}."));
            return ExitCodes.Ok;
        });
        return command;
    }
}
