using System.Globalization;
using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Records;
using Lockstep.Sync;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>The base of the cmdlets that compare a table with its feed by a full read of both.</summary>
public abstract class CompareTableCmdlet : FeedCmdlet
{
    private string? _location;

    private protected CompareTableCmdlet() { }

    /// <summary>
    /// The table, of the session or of a file in the current location, or with -ConnectionString of the database; by default the only one
    /// there is.
    /// </summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("Name")]
    [ArgumentCompleter(typeof(TableCompleter))]
    public string? Table { get; set; }

    /// <summary>The table file.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string? Path { get; set; }

    /// <summary>The PostgreSQL database that keeps the table: a connection string, or a <c>postgres://</c> URI.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// The feed; by default the one that the table belongs to. Needed if its URI holds user and password, which are never stored.
    /// </summary>
    [Parameter]
    [ArgumentCompleter(typeof(FeedUriCompleter))]
    public Uri? Uri { get; set; }

    /// <summary>An endless feed counts as read when nothing has arrived for this many seconds.</summary>
    [Parameter]
    [ValidateRange(0.0, 86400.0)]
    public double SettleSec { get; set; } = 1;

    private protected override object? ErrorTarget => _location;

    private protected FoundTable Locate()
    {
        // With a database, the path of an object from the pipeline only says where that object's own table is.
        var path = ConnectionString is null || IsNamed(nameof(Path)) ? Path : null;
        if (ConnectionString is not null && !string.IsNullOrEmpty(path))
            throw new InvalidOptionException("The table can be in a file or in a database.", "Use -ConnectionString or -Path.");
        TablePlace place = ConnectionString is { } database
            ? new SharedTables(database, stop: StopToken)
            : new LocalTables(SessionState.Path, StopToken);
        var found =
            !string.IsNullOrEmpty(path) ? FoundTable.OfFile(FileSystemPath.ResolveOne(SessionState.Path, path), StopToken)
            : string.IsNullOrEmpty(Table) ? place.Only()
            : place.ByName(Table) is [var only] ? only
            : throw new InvalidOptionException("That does not name one table.", "Name one table.");
        _location = found.Location;
        return found;
    }

    private protected Uri FeedOf(FoundTable table) =>
        Uri
        ?? (
            table.Describe().Uri
            ?? throw new InvalidOptionException($"The table in '{table.Location}' belongs to no feed.", "Name the feed with -Uri.")
        );

    /// <summary>Reads feed and table, and returns each difference.</summary>
    private protected void Compare(FoundTable compared, Action<TableDifference> found)
    {
        var table = compared.Describe().Name;
        var objects = new RecordObjects(table, WriteWarning);
        var steps = new SyncStepHandler(this, $"Comparing {table} with its feed")
        {
            Table = () => table,
            TokenProvider = TokenScript.Of(TokenProvider),
        };
        var comparison = new TableComparison(
            new SyncOptions
            {
                Feed = FeedSettings.Of(this, FeedOf(compared)),
                Store = compared.Store,
                TableName = table,
                Settle = TimeSpan.FromSeconds(SettleSec),
            }
        );
        try
        {
            Pump(
                comparison.RunAsync(StopToken),
                step =>
                {
                    if (step is not DifferenceFound { Difference: var difference })
                    {
                        steps.Take(step);
                        return;
                    }

                    found(
                        new TableDifference(
                            table,
                            (DifferenceKind)difference.Kind,
                            difference.Key.ToModel(),
                            difference.Expected is { } expected ? objects.Read(expected) : null,
                            difference.Actual is { } actual ? objects.Read(actual) : null
                        )
                    );
                }
            );
        }
        finally
        {
            steps.End();
        }
    }
}

/// <summary>Compares a table with its feed and returns each difference; with -Quiet, whether they are equal.</summary>
[Cmdlet(VerbsDiagnostic.Test, "LockstepTable")]
[OutputType(typeof(TableDifference), typeof(bool))]
public sealed class TestLockstepTableCommand : CompareTableCmdlet
{
    /// <summary>Returns only whether table and feed are equal.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override void Process()
    {
        var count = 0;
        Compare(
            Locate(),
            difference =>
            {
                count++;
                if (!Quiet)
                    WriteObject(difference);
            }
        );
        if (Quiet)
            WriteObject(count == 0);
    }
}

/// <summary>Repairs a table that differs from its feed: a new whole set replaces its records at once.</summary>
[Cmdlet(VerbsDiagnostic.Repair, "LockstepTable", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(SyncResult))]
public sealed class RepairLockstepTableCommand : CompareTableCmdlet
{
    private protected override void Process()
    {
        var table = Locate();
        var counts = new Dictionary<DifferenceKind, int>();
        Compare(table, difference => counts[difference.Kind] = counts.GetValueOrDefault(difference.Kind) + 1);
        if (counts.Count == 0)
        {
            WriteVerbose("The table equals its feed.");
            return;
        }

        int Count(DifferenceKind kind) => counts.GetValueOrDefault(kind);
        var what = string.Create(
            CultureInfo.InvariantCulture,
            $"Add {Count(DifferenceKind.Missing)} missing, remove {Count(DifferenceKind.Extra)} extra and replace "
                + $"{Count(DifferenceKind.Different)} different records"
        );
        if (!ShouldProcess(table.Location, what))
            return;

        var sync = new TableSync(
            new SyncOptions
            {
                Feed = FeedSettings.Of(this, FeedOf(table)),
                Store = table.Store,
                TableName = table.Describe().Name,
                Settle = TimeSpan.FromSeconds(SettleSec),
                Repair = true,
                AsksForToken = TokenProvider is not null,
            }
        );
        var steps = new SyncStepHandler(this, "Repairing")
        {
            Table = () => sync.Result.Table,
            Health = new SyncHealth(() => sync.Result),
            TokenProvider = TokenScript.Of(TokenProvider),
        };
        try
        {
            Pump(sync.RunAsync(StopToken), steps.Take);
            WriteObject(sync.Result.ToModel());
        }
        catch (LockstepException error)
        {
            steps.Health?.Fail(error.Message);
            throw;
        }
        finally
        {
            steps.End();
        }
    }
}
