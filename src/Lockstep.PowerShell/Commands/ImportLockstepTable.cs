using System.Management.Automation;
using System.Text;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Records;
using Lockstep.Sync;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>
/// Fills a table from files of JSON objects, one per line or in an array, or from the pipeline, by the same rules as a feed.
/// </summary>
[Cmdlet(
    VerbsData.Import,
    "LockstepTable",
    DefaultParameterSetName = FromPipeline,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low
)]
[OutputType(typeof(SyncResult))]
public sealed class ImportLockstepTableCommand : LockstepCmdlet
{
    private const string FromPipeline = "InputObject";
    private const string FromPath = "Path";
    private const string FromLiteralPath = "LiteralPath";

    private readonly RecordSerializer _serializer = new();
    private PipelineImport? _import;
    private SyncStepHandler? _steps;
    private object? _current;
    private bool _failed;

    /// <summary>Records: objects, hashtables, or strings with a JSON object each.</summary>
    [Parameter(ParameterSetName = FromPipeline, Mandatory = true, ValueFromPipeline = true)]
    public object[] InputObject { get; set; } = [];

    /// <summary>Files with one JSON object per line, or an array of them.</summary>
    [Parameter(ParameterSetName = FromPath, Mandatory = true, Position = 0)]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Files with one JSON object per line, or an array of them; their names are taken literally, without wildcards.</summary>
    [Parameter(ParameterSetName = FromLiteralPath, Mandatory = true)]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>
    /// The table's name; by default that of an existing file, else the imported file's without its extension, else <c>lockstep</c>.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("Name")]
    [ArgumentCompleter(typeof(TableCompleter))]
    public string? Table { get; set; }

    /// <summary>
    /// Keeps the table in a file, by default <c>table.db</c> in the current location; without it the table lives as long as this process.
    /// </summary>
    [Parameter]
    public SwitchParameter Disk { get; set; }

    /// <summary>The table file; implies -Disk.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string? Destination { get; set; }

    /// <summary>
    /// Keeps the table in this PostgreSQL database instead of a file, for many machines to share: a connection string, or a
    /// <c>postgres://</c> URI.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// Makes the table file private: only you may read and write it, even if it already exists. Session tables are always private. Not on
    /// Windows, where files have the permissions of their folder.
    /// </summary>
    [Parameter]
    public SwitchParameter Private { get; set; }

    /// <summary>The field that orders the records; by default the table's, else <c>updated_at</c>.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string? OrderBy { get; set; }

    /// <summary>The fields that form the key; by default the table's, else <c>id</c>, else the first field of the first record.</summary>
    [Parameter]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string[] KeyProperty { get; set; } = [];

    /// <summary>The dialect of the records; Auto detects it from the first one.</summary>
    [Parameter]
    [ValidateSet(nameof(FeedDialect.Auto), nameof(FeedDialect.Record), nameof(FeedDialect.Transaction))]
    [OneOf(typeof(FeedDialect))]
    public FeedDialect Dialect { get; set; }

    /// <summary>What to do with a malformed record.</summary>
    [Parameter]
    [OneOf(typeof(MalformedRecordAction))]
    public MalformedRecordAction MalformedRecord { get; set; }

    /// <summary>Waits for a sync of the same table to end, instead of failing.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    private protected override object? ErrorTarget => _current;

    private ImportSettings Settings => new(OrderBy, FeedSettings.Named(KeyProperty), Dialect, MalformedRecord, Wait);

    private protected override void Begin()
    {
        if (ParameterSetName != FromPipeline)
        {
            // Otherwise each object from the pipeline would be refused without a reason.
            if (MyInvocation.ExpectingInput && Path is [var only])
            {
                throw new InvalidOptionException(
                    $"The records come from the pipeline, but '{only}' is a file of others.",
                    $"To name the table, give -Table {only}."
                );
            }

            return;
        }

        var destination = ResolveDestination(TableNaming.Default);
        _failed = !ShouldProcess(destination.Description, "Import records from the pipeline");
        if (!_failed)
        {
            _steps = new SyncStepHandler(this, "Importing records from the pipeline");
            _import = new PipelineImport(Settings.For(destination, new Uri("pipeline:records")), _steps, StopToken);
        }
    }

    private protected override void Process()
    {
        if (ParameterSetName == FromPipeline)
            AddRecords();
        else if (ParameterSetName == FromPath)
            ImportFiles(Path.SelectMany(path => FileSystemPath.Resolve(SessionState.Path, path)));
        else
            ImportFiles(LiteralPath.Select(path => FileSystemPath.ResolveLiteral(SessionState.Path, path)));
    }

    private protected override void End()
    {
        if (_import is null || _failed)
            return;

        _import.Complete();
        _steps!.End();
        WriteObject(_steps.Result!.ToModel());
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _import?.Dispose();
        base.Dispose(disposing);
    }

    private TableDestination ResolveDestination(string defaultName) =>
        TableDestination.Resolve(
            SessionState.Path,
            TableNaming.IsValid(defaultName) ? defaultName : TableNaming.Default,
            Table,
            Disk,
            path: null,
            literalPath: Destination,
            ConnectionString,
            Private
        );

    private void AddRecords()
    {
        foreach (var record in InputObject)
        {
            if (_failed)
                return;

            _current = record;
            if ((record is PSObject wrapped ? wrapped.BaseObject : record) is FileSystemInfo file)
            {
                throw new InvalidOptionException(
                    $"'{file.Name}' came through the pipeline, which brings records and not files.",
                    "Give its path as -Path, or its lines: Get-Content FILE | Import-LockstepTable."
                );
            }

            var json = RecordTexts.TextOf(record) is { } text ? Encoding.UTF8.GetBytes(text) : _serializer.Serialize(record);
            try
            {
                _import!.Add(json.Span);
            }
            catch
            {
                // What was committed before stays in the table; the rest has nowhere to go.
                _failed = true;
                throw;
            }
        }
    }

    private void ImportFiles(IEnumerable<string> files)
    {
        foreach (var file in files)
        {
            _current = file;
            Attempt(() =>
            {
                if (System.IO.Path.GetExtension(file).Equals(".csv", StringComparison.OrdinalIgnoreCase) && File.Exists(file))
                {
                    throw new InvalidOptionException(
                        $"'{file}' is a CSV file, in which every value is text.",
                        "Import-Csv FILE | Import-LockstepTable imports it so; NDJSON and JSON keep numbers, true, false and null."
                    );
                }

                var destination = ResolveDestination(System.IO.Path.GetFileNameWithoutExtension(file));
                if (!ShouldProcess(destination.Description, $"Import {file}"))
                    return;

                var steps = new SyncStepHandler(this, $"Importing {file}");
                using var source = File.OpenRead(file);
                try
                {
                    Pump(new TableImport(Settings.For(destination, new Uri(file)), source).RunAsync(StopToken), steps.Take);
                    WriteObject(steps.Result!.ToModel());
                }
                finally
                {
                    steps.End();
                }
            });
        }
    }
}
