using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep tables: lists the table files of a folder.</summary>
internal static class TablesCommand
{
    public static Command Create()
    {
        var path = new Argument<string[]>("path")
        {
            Description = "Table files or folders; wildcards are allowed in a file's name, as in 'serv*'. Default: the current folder.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var json = new Option<bool>("--json") { Description = "Print each table as one line of JSON." };
        var postgres = new PostgresOption("List the tables that this database keeps");
        var command = new Command("tables", "List table files, or the tables that a database keeps.") { path, json, postgres.Option };
        command.SetAction(result =>
        {
            var given = result.GetValue(path) ?? [];
            var database = postgres.Read(result);
            if (database is not null && given.Length > 0)
                throw new ArgumentException("List table files, or the tables of --postgres, not both.");
            IEnumerable<ITable> tables = database is not null
                ? new PostgresTableStore(database).Find()
                : (given.Length > 0 ? given : ["."]).SelectMany(FilesOf).Select(file => new Table(file));
            using var output = Console.OpenStandardOutput();
            var text = new TextTable(Console.Out);
            var exitCode = ExitCodes.Ok;
            foreach (var table in tables)
            {
                TableInfo info;
                try
                {
                    info = table.GetInfo();
                }
                catch (LockstepException e)
                {
                    // A damaged or missing file must not hide the others.
                    Console.Error.WriteLine("lockstep: " + ErrorText.Describe(e));
                    exitCode = ExitCodes.Of(e);
                    if (result.GetValue(json))
                    {
                        JsonLines.Write(
                            output,
                            writer =>
                            {
                                writer.WriteString("path", (table as Table)?.Path);
                                writer.WriteString("outcome", "Failed");
                                JsonFailure.Write(writer, e);
                            }
                        );
                    }

                    continue;
                }

                if (result.GetValue(json))
                {
                    JsonLines.Write(
                        output,
                        writer =>
                        {
                            writer.WriteString("name", info.Name);
                            writer.WriteString("path", info.Location);
                            writer.WriteString("feed", info.Feed);
                            writer.WriteString("dialect", info.DialectName);
                            writer.WriteString("key", string.Join(",", info.KeyFields));
                            writer.WriteString("orderBy", info.OrderField);
                            writer.WriteString("cursor", info.HasCursor ? info.Cursor.ToString() : "");
                            writer.WriteNumber("rows", info.Rows);
                            writer.WriteNumber("tombstones", info.Tombstones);
                            writer.WriteNumber("quarantined", info.Quarantined);
                            writer.WriteBoolean("loadUnfinished", info.IsLoadUnfinished);
                            writer.WriteBoolean("setOwed", info.IsSetOwed);
                            writer.WriteNumber("sweepLimit", info.SweepLimit);
                            writer.WriteStartArray("indexes");
                            foreach (var field in info.Indexes)
                            {
                                writer.WriteStringValue(field);
                            }

                            writer.WriteEndArray();
                            writer.WriteNumber("sequence", info.Sequence);
                            writer.WriteNumber("size", info.Size);
                            writer.WriteString("lastSync", info.LastSync?.ToString("O", CultureInfo.InvariantCulture));
                            writer.WriteString("writer", info.Writer);
                        }
                    );
                }
                else
                {
                    text.Add(
                        new Dictionary<string, string>
                        {
                            ["Name"] = info.Name,
                            ["Rows"] = info.Rows.ToString(CultureInfo.InvariantCulture),
                            ["Tombstones"] = info.Tombstones.ToString(CultureInfo.InvariantCulture),
                            ["Quarantined"] = info.Quarantined.ToString(CultureInfo.InvariantCulture),
                            ["Cursor"] = info.HasCursor ? info.Cursor.ToString() : "",
                            ["Size"] = info.Size.ToString(CultureInfo.InvariantCulture),
                            ["LastSync"] = info.LastSync?.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? "",
                            ["Note"] =
                                info.IsLoadUnfinished ? "first load unfinished"
                                : info.IsSetOwed ? "whole set owed"
                                : "",
                            ["Dialect"] = info.DialectName ?? "",
                            ["Path"] = Path.IsPathFullyQualified(info.Location)
                                ? Path.GetRelativePath(Environment.CurrentDirectory, info.Location)
                                : info.Location,
                            ["Feed"] = info.Feed ?? "",
                        }
                    );
                }
            }

            text.Finish();
            return exitCode;
        });
        return command;
    }

    /// <summary>The files that a path means. Shells expand wildcards that are not in quotes, but not all of them do.</summary>
    private static IEnumerable<string> FilesOf(string path)
    {
        if (Directory.Exists(path))
            return Table.FindIn(Path.GetFullPath(path));
        var full = TableOptions.FullPath(path, "path");
        var pattern = Path.GetFileName(full);
        if (!pattern.AsSpan().ContainsAny('*', '?') || File.Exists(full))
            return [full];
        string[] files =
        [
            .. Table
                .FindIn(Path.GetDirectoryName(full)!)
                .Where(file => Matches(Path.GetFileName(file)) || Matches(Path.GetFileNameWithoutExtension(file))),
        ];
        return files.Length > 0
            ? files
            : throw new TableNotFoundException(path, $"No table file matches '{path}'.", "'lockstep tables' lists all of a folder.");

        bool Matches(string name) => FileSystemName.MatchesSimpleExpression(pattern, name);
    }
}
