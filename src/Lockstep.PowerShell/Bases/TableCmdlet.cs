using System.Collections;
using System.Collections.Concurrent;
using System.Management.Automation;
using System.Runtime.ExceptionServices;
using Lockstep.Completers;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Records;
using Lockstep.Tables;

namespace Lockstep.Bases;

/// <summary>The base of the cmdlets that work on existing tables, named or found as <c>Get-LockstepRecord</c> does.</summary>
public abstract class TableCmdlet : LockstepCmdlet
{
    private protected const string ByTable = "Table";
    private protected const string ByPath = "Path";
    private protected const string ByLiteralPath = "LiteralPath";
    private protected const string ByDatabase = "Database";

    private readonly ConcurrentQueue<string> _notices = new();
    private string? _current;

    private protected TableCmdlet() { }

    /// <summary>
    /// Tables by name, those of the session first, then those of the table files in the current location; with -ConnectionString, those of
    /// the database.
    /// </summary>
    [Parameter(ParameterSetName = ByTable, Position = 0, ValueFromPipeline = true)]
    [Parameter(ParameterSetName = ByDatabase, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("Name")]
    [TableName]
    [ValidateNotNull]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(TableCompleter))]
    public string[] Table { get; set; } = [];

    /// <summary>Table files.</summary>
    [Parameter(ParameterSetName = ByPath, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string[] Path { get; set; } = [];

    /// <summary>Table files, taken literally, without wildcards.</summary>
    [Parameter(ParameterSetName = ByLiteralPath, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>The PostgreSQL database that keeps the tables: a connection string, or a <c>postgres://</c> URI.</summary>
    [Parameter(ParameterSetName = ByDatabase, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string ConnectionString { get; set; } = "";

    private protected override object? ErrorTarget => _current;

    /// <summary>Warns of what a database has reported since the last call, such as a lost connection. Pipeline thread.</summary>
    private protected void WriteNotices()
    {
        while (_notices.TryDequeue(out var notice))
            WriteWarning(notice);
    }

    /// <summary>Warns if records of a table's first load are missing.</summary>
    /// <param name="note">What is known about that load; null if it has ended.</param>
    private protected void WarnOfLoad(string? note)
    {
        if (note is not null)
            WriteWarning(note);
    }

    /// <summary>The tables to use when none is named.</summary>
    private protected virtual IEnumerable<FoundTable> DefaultTables(TablePlace place) => [place.Only()];

    /// <summary>Whether a pattern may match no table without an error, as with PowerShell's own Get- and Remove- cmdlets.</summary>
    private protected virtual bool PatternMayMatchNone => false;

    /// <summary>Why a table is missing, if the cmdlet knows the reason.</summary>
    /// <param name="name">The name given; empty if there was none.</param>
    private protected virtual Exception? WhyMissing(string name) => null;

    /// <summary>Runs an action for each table that the parameters name. An error with one does not stop the others.</summary>
    private protected void ForEachTable(Action<FoundTable> use)
    {
        var paths = SessionState.Path;
        switch (ParameterSetName)
        {
            case ByPath:
                ForEach(Path, path => FileSystemPath.Resolve(paths, path).Select(OfFile), use);
                break;
            case ByLiteralPath:
                ForEach(LiteralPath, path => [OfFile(FileSystemPath.ResolveLiteral(paths, path))], use);
                break;
            default:
                TablePlace? place = null;
                TablePlace Place() =>
                    place ??=
                        ParameterSetName == ByDatabase
                            ? new SharedTables(ConnectionString, _notices.Enqueue, StopToken)
                            : new LocalTables(paths, StopToken);
                if (Table.Length > 0)
                    ForEach(Table, name => Place().ByName(name), use);
                else
                    ForEach([""], _ => DefaultTables(Place()), use);
                break;
        }
    }

    private FoundTable OfFile(string path) => FoundTable.OfFile(path, StopToken);

    private void ForEach(IEnumerable<string> named, Func<string, IEnumerable<FoundTable>> resolve, Action<FoundTable> use)
    {
        foreach (var name in named)
        {
            _current = name.Length > 0 ? name : null;
            Attempt(() =>
            {
                ForEachFound(Resolve(name, resolve), use);
            });
        }
    }

    /// <summary>Runs an action for each of these tables. An error with one does not stop the others.</summary>
    private protected void ForEachFound(IEnumerable<FoundTable> tables, Action<FoundTable> use)
    {
        foreach (var table in tables)
        {
            _current = table.DisplayName;
            Attempt(() =>
            {
                if (table.File is { } file)
                    FileSystemPath.RequireFile(file);
                use(table);
            });
        }
    }

    private IEnumerable<FoundTable> Resolve(string name, Func<string, IEnumerable<FoundTable>> resolve)
    {
        try
        {
            return resolve(name);
        }
        catch (TableNotFoundException) when (PatternMayMatchNone && TableNames.IsPattern(name))
        {
            return [];
        }
        catch (TableNotFoundException) when (WhyMissing(name) is { } reason)
        {
            ExceptionDispatchInfo.Throw(reason);
            throw;
        }
    }
}

/// <summary>The base of the cmdlets that read the records of tables: all of them, or those that match an expression.</summary>
public abstract class FilteredTableCmdlet : TableCmdlet
{
    /// <summary>A table knows the names of its first fields only.</summary>
    private const int MostKnownFields = 500;

    private protected FilteredTableCmdlet() { }

    /// <summary>An SQL expression over the fields: only records that match it.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(FilterCompleter))]
    public string? Filter { get; set; }

    /// <summary>Values for the names that -Filter marks with a <c>$</c>, <c>@</c> or <c>:</c>.</summary>
    [Parameter]
    public IDictionary? FilterParameter { get; set; }

    /// <summary>Warns of names that are not fields of a table, because a typo would become an empty column.</summary>
    private protected void WarnOfUnknown(FoundTable found, IReadOnlyList<string>? properties)
    {
        if (properties is null || found.Table.GetInfo() is not { Fields: { Count: > 0 and < MostKnownFields } fields } info)
            return;
        var names = new PropertyNames(fields);
        string[] known = [.. fields.Select((_, i) => names[i])];
        foreach (var wanted in properties)
        {
            // For a path into a field, only the field is known.
            if (FieldPath.IsPointer(wanted) && FieldPath.IsValid(wanted) && fields.Contains(FieldPath.Names(wanted)[0]))
                continue;
            var pattern = WildcardPattern.Get(wanted, PatternOptions.AnyCase);
            if (!fields.Contains(wanted, StringComparer.OrdinalIgnoreCase) && !Array.Exists(known, pattern.IsMatch))
            {
                var nested = WildcardPattern.ContainsWildcardCharacters(wanted) ? null : FieldPath.OfDotted(wanted, fields);
                WriteWarning(
                    $"No record of '{info.Name}' has a field '{wanted}'. The fields are "
                        + $"{string.Join(", ", known.Take(20))}{(known.Length > 20 ? ", ..." : "")}."
                        + (nested is null ? "" : $" A field within a field is named by its JSON Pointer: {nested}")
                );
            }
        }
    }
}
