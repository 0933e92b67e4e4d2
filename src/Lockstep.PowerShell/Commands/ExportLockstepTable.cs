using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Exporting;
using Lockstep.Parameters;
using Lockstep.Records;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>Writes the records of tables to files for other programs: NDJSON, JSON or CSV.</summary>
[Cmdlet(
    VerbsData.Export,
    "LockstepTable",
    DefaultParameterSetName = ByTable,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low
)]
[OutputType(typeof(FileInfo))]
public sealed class ExportLockstepTableCommand : FilteredTableCmdlet
{
    /// <summary>
    /// The file, or a folder in which each file gets its table's name: a folder that exists, or one that is created because the name ends
    /// with a slash, or because it has no extension and there are several tables.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string Destination { get; set; } = "";

    /// <summary>
    /// The format of the records; Auto follows the file's extension: csv, json for an array, or ndjson, jsonl, txt and none.
    /// </summary>
    [Parameter]
    [OneOf(typeof(ExportFormat))]
    public ExportFormat Format { get; set; }

    /// <summary>The columns of a CSV file, in this order; wildcards are allowed. By default all fields.</summary>
    [Parameter]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string[]? Property { get; set; }

    /// <summary>Overwrites an existing file.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Returns the file.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process()
    {
        var destination = FileSystemPath.ResolveLiteral(SessionState.Path, Destination);
        var query = new RecordQuery { Filter = Filter, FilterParameters = QueryValues.Parameters(FilterParameter) };
        var tables = new List<FoundTable>();
        ForEachTable(tables.Add);
        var isFolder = Directory.Exists(destination) || IsNewFolder(destination, tables.Count);
        if (tables.Count > 1 && !isFolder)
        {
            throw new InvalidOptionException(
                $"{tables.Count} tables do not go into one file '{destination}'.",
                "Give a folder as -Destination, such as one whose name ends with a slash, or one table."
            );
        }

        ForEachFound(
            tables,
            found =>
            {
                var target = isFolder
                    ? System.IO.Path.Combine(destination, found.Table.GetInfo().Name + TableExport.ExtensionOf(Format))
                    : destination;
                var format = TableExport.Resolve(Format, target);
                if (Property is not null && format != ExportFormat.Csv)
                {
                    throw new InvalidOptionException(
                        "NDJSON and JSON hold the records as they are, with all their fields.",
                        "Leave out -Property, or write CSV with -Format Csv."
                    );
                }

                if (!ShouldProcess(found.DisplayName, $"Export to {target}"))
                    return;

                WarnOfLoad(found.Table.GetInfo().LoadNote);
                if (isFolder)
                    Directory.CreateDirectory(destination);
                new TableExport(found.Table, query, format, Property is null ? null : FeedSettings.Named(Property)).Write(
                    target,
                    Force,
                    WriteWarning,
                    StopToken
                );
                if (PassThru)
                    WriteObject(new FileInfo(target));
            }
        );
    }

    private bool IsNewFolder(string destination, int tables) =>
        !File.Exists(destination)
        && (
            Destination.EndsWith('/')
            || Destination.EndsWith(System.IO.Path.DirectorySeparatorChar)
            || (tables > 1 && !System.IO.Path.HasExtension(destination))
        );
}
