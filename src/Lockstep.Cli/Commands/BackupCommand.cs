using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep backup: copies a table file, even while a sync runs.</summary>
internal static class BackupCommand
{
    public static Command Create()
    {
        var destination = new Argument<string>("destination")
        {
            Description = "The file of the copy, or a folder that exists: then the copy is called as the table, with .db.",
        };
        var table = new TableOptions();
        var force = new Option<bool>("--force") { Description = "Overwrite an existing table file." };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Print only errors." };
        var command = new Command(
            "backup",
            "Copy a table file, even while a sync writes to it. The copy is checked before it gets its name."
        )
        {
            destination,
        };
        table.AddTo(command);
        command.Options.Add(force);
        command.Options.Add(quiet);
        command.SetAction(result =>
        {
            if (table.Find(result) is not Table file)
                throw new ArgumentException("A table in PostgreSQL is backed up with its database: pg_dump --schema=lockstep_tables.");
            var target = TableOptions.FullPath(result.GetValue(destination)!, "destination");
            if (Directory.Exists(target))
                target = Path.Combine(target, file.GetInfo().Name + ".db");
            file.Backup(target, result.GetValue(force));
            TableOptions.WarnOfLoad(new Table(target).GetInfo());
            if (!result.GetValue(quiet))
                Console.WriteLine(PlainText.Of($"{file.GetInfo().Name}: {new Table(target).GetInfo().Rows} records copied to {target}."));
            return ExitCodes.Ok;
        });
        return command;
    }
}
