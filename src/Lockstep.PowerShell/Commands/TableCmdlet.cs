using System.Management.Automation;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>The base of the cmdlets that work on tables that exist, named or found as <c>Get-LockstepRecord</c> does.</summary>
public abstract class TableCmdlet : LockstepCmdlet
{
    private protected const string ByTable = "Table";
    private protected const string ByPath = "Path";
    private protected const string ByLiteralPath = "LiteralPath";

    private string? _current;

    private protected TableCmdlet()
    {
    }

    /// <summary>Tables by name, those of the session first, then those of the table files in the current location.</summary>
    [Parameter(ParameterSetName = ByTable, Position = 0, ValueFromPipeline = true)]
    [Alias("Name")]
    [ValidateNotNull]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(TableCompleter))]
    public string[] Table { get; set; } = [];

    /// <summary>Table files.</summary>
    [Parameter(ParameterSetName = ByPath, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string[] Path { get; set; } = [];

    /// <summary>Table files, their names taken as they are, without wildcards.</summary>
    [Parameter(ParameterSetName = ByLiteralPath, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string[] LiteralPath { get; set; } = [];

    private protected override object? ErrorTarget => _current;

    /// <summary>The full paths of the tables that are meant when none is named.</summary>
    private protected virtual IEnumerable<string> DefaultTables => [TableLookup.Only(SessionState.Path)];

    /// <summary>Does something with each table that the parameters mean, given by its full path. An error of one does not end the others.</summary>
    private protected void ForEachTable(Action<string> use)
    {
        var paths = SessionState.Path;
        switch (ParameterSetName)
        {
            case ByPath:
                ForEach(Path, path => FileSystemPath.Resolve(paths, path), use);
                break;
            case ByLiteralPath:
                ForEach(LiteralPath, path => [FileSystemPath.ResolveLiteral(paths, path)], use);
                break;
            case var _ when Table.Length > 0:
                ForEach(Table, name => TableLookup.ByName(paths, name), use);
                break;
            default:
                ForEach(DefaultTables, path => [path], use);
                break;
        }
    }

    private void ForEach(IEnumerable<string> named, Func<string, IReadOnlyList<string>> resolve, Action<string> use)
    {
        foreach (var name in named)
        {
            _current = name;
            Attempt(() =>
            {
                foreach (var file in resolve(name))
                {
                    _current = TableLookup.NameOf(file);
                    Attempt(() =>
                    {
                        FileSystemPath.RequireFile(file);
                        use(file);
                    });
                }
            });
        }
    }
}
