using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep index: sets or lists the indexed fields of a table file.</summary>
internal static class IndexCommand
{
    public static Command Create()
    {
        var fields = new Argument<string[]>("field")
        {
            Description = "The fields to index from now on, at most 16; others lose their index. Without any, prints the indexes.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var table = new TableOptions();
        var none = new Option<bool>("--none") { Description = "Drop all indexes." };
        var command = new Command("index", "Index fields of a table file, so that filters find records without reading them all.")
        {
            fields,
        };
        table.AddTo(command);
        command.Options.Add(none);
        command.SetAction(result =>
        {
            if (table.Find(result) is not Table file)
                throw new ArgumentException("A table in PostgreSQL has no indexes for filters.");
            var wanted = result.GetValue(fields)!;
            if (wanted.Length > 0 && result.GetValue(none))
                throw new ArgumentException("Give fields or --none, not both.");
            if (wanted.Length > 0 || result.GetValue(none))
                file.SetIndexes(wanted);
            var info = file.GetInfo();
            Console.WriteLine(PlainText.Of($"{info.Name}: {(info.Indexes.Count > 0 ? string.Join(", ", info.Indexes) : "no index")}."));
            return ExitCodes.Ok;
        });
        return command;
    }
}
