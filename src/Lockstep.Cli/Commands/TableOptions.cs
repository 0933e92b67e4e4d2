using System.CommandLine;
using Lockstep.Engine.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>The options by which a command finds its table file; the same for all.</summary>
internal sealed class TableOptions
{
    public Option<string?> Table { get; } = new("--table", "-t") { Description = "The table's name; its file is NAME.db in the current folder.", HelpName = "NAME" };

    public Option<string?> Path { get; } = new("--path", "-p") { Description = "The table's file.", HelpName = "FILE" };

    public void AddTo(Command command)
    {
        command.Options.Add(Table);
        command.Options.Add(Path);
    }

    /// <summary>The file that is named, else the only table file of the current folder.</summary>
    public string Find(ParseResult result)
    {
        if (result.GetValue(Path) is { } path) return System.IO.Path.GetFullPath(path);
        if (result.GetValue(Table) is { } name) return FileOf(name);

        IReadOnlyList<string> files = Engine.Tables.Table.FindIn(Environment.CurrentDirectory);
        if (files.Count == 1) return files[0];
        throw new TableNotFoundException(
            "", files.Count == 0 ? "There is no table file in the current folder." : "There are several table files in the current folder.",
            files.Count == 0 ? "Make one with 'lockstep sync URI', or name one with --path." : "Name one with --path: " + string.Join(", ", files.Select(System.IO.Path.GetFileName)));
    }

    public static string FileOf(string table) => System.IO.Path.GetFullPath(TableName.Require(table) + ".db");
}
