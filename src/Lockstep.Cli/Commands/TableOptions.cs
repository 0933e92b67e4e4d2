using System.CommandLine;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>The options by which a command finds its table, the same for all commands.</summary>
internal sealed class TableOptions
{
    public Option<string?> Table { get; } =
        new("--table", "-t") { Description = "The table's name; its file is NAME.db in the current folder.", HelpName = "NAME" };

    public Option<string?> Path { get; } = new("--path", "-p") { Description = "The table's file.", HelpName = "FILE" };

    public PostgresOption Postgres { get; } = new("The table is kept in this database instead of a file");

    public void AddTo(Command command)
    {
        command.Options.Add(Table);
        command.Options.Add(Path);
        command.Options.Add(Postgres.Option);
    }

    /// <summary>The store of the named table: a database or a file; null if the command line names none.</summary>
    /// <exception cref="ArgumentException">
    /// Both a file and a database are named, or the connection string is missing or cannot be parsed.
    /// </exception>
    /// <param name="result">The command line.</param>
    /// <param name="isPrivate">Whether a file is for this user only.</param>
    public TableStore? Store(ParseResult result, bool isPrivate = false)
    {
        var path = result.GetValue(Path);
        if (Postgres.Read(result) is { } connection)
        {
            if (path is not null)
                throw new ArgumentException("The table is in a file (--path) or in a database (--postgres), not in both.");
            return isPrivate
                ? throw new ArgumentException(
                    "--private is for table files: who may read a table in a database, the database's rights say."
                )
                : new PostgresTableStore(connection);
        }

        return path is not null ? new FileTableStore(FullPath(path, "value of --path")) { IsPrivate = isPrivate }
            : result.GetValue(Table) is { } name ? OfName(name, isPrivate)
            : null;
    }

    /// <summary>The named table, otherwise the only one in the current folder or database.</summary>
    /// <exception cref="TableMismatchException">The file of --path holds a table of another name than that of --table.</exception>
    public ITable Find(ParseResult result)
    {
        switch (Store(result))
        {
            // Without --path, --table names the file.
            case FileTableStore file when result.GetValue(Path) is not null && result.GetValue(Table) is { } name:
                var actual = file.Table.GetInfo().Name;
                return name == actual ? file.Table : throw TableMismatchException.OfName(file.Path, actual, name);
            case FileTableStore file:
                return file.Table;
            case { } store when result.GetValue(Table) is { } table:
                return store.Get(table);
            case { } store:
                return store.Find() is [var only]
                    ? only
                    : throw NotOne($"in {store.Description}", "--table", store.Find().Select(kept => kept.GetInfo().Name));
        }

        var files = Engine.Tables.Table.FindIn(Environment.CurrentDirectory);
        return files.Count == 1
            ? new Table(files[0])
            : throw NotOne("in the current folder", "--path", files.Select(file => System.IO.Path.GetFileName(file)));
    }

    /// <summary>The feed to which the table belongs, for a command without one.</summary>
    /// <exception cref="TableNotFoundException">There is no such table.</exception>
    /// <exception cref="InvalidOptionException">The table belongs to no feed.</exception>
    public (Uri Feed, TableStore Store, string Name) FeedOf(ParseResult result)
    {
        if (Store(result) is null && Engine.Tables.Table.FindIn(Environment.CurrentDirectory).Count == 0)
            throw new ArgumentException("Which feed? Name its URI, or a table that already belongs to one. See 'lockstep sync --help'.");
        TableInfo info;
        try
        {
            info = Find(result).GetInfo();
        }
        catch (TableNotFoundException e) when (Store(result) is not null)
        {
            throw new TableNotFoundException(e.Name, e.Message, "A table that is new needs a feed: name its URI before the options.");
        }

        return info.Feed is { } feed
            ? (new Uri(feed), Store(result) ?? new FileTableStore(info.Location), info.Name)
            : throw new InvalidOptionException($"The table '{info.Name}' belongs to no feed.", "Name the feed's URI before the options.");
    }

    /// <summary>The full path of a file or folder.</summary>
    /// <exception cref="ArgumentException">The path is empty, like the value of an unset shell variable.</exception>
    public static string FullPath(string path, string what) =>
        path.Length > 0 ? System.IO.Path.GetFullPath(path) : throw new ArgumentException($"The {what} is empty.");

    /// <summary>Warns on standard error if records of a first load are missing.</summary>
    public static void WarnOfLoad(TableInfo info)
    {
        if (info.LoadNote is { } note)
            Console.Error.WriteLine(PlainText.Of($"lockstep: Warning: {note}"));
    }

    /// <summary>The file of a table in the current folder.</summary>
    public static FileTableStore OfName(string table, bool isPrivate = false) =>
        new(System.IO.Path.GetFullPath(TableNaming.Require(table) + ".db")) { IsPrivate = isPrivate };

    private static TableNotFoundException NotOne(string place, string option, IEnumerable<string> names)
    {
        var all = string.Join(", ", names);
        return new TableNotFoundException(
            "",
            all.Length == 0 ? $"There is no table {place}." : $"There are several tables {place}.",
            all.Length == 0 ? $"Make one with 'lockstep sync URI', or name one with {option}." : $"Name one with {option}: {all}"
        );
    }
}
