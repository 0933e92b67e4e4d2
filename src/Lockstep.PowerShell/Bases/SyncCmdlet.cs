using System.Management.Automation;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Parameters;
using Lockstep.Sync;
using Lockstep.Tables;

namespace Lockstep.Bases;

/// <summary>The parameters of a sync shared by the cmdlets: the source, the table, and the rules.</summary>
public abstract class SyncCmdlet : FeedCmdlet
{
    private protected SyncCmdlet() { }

    /// <summary>
    /// The feed, or a test server of this session; by default the one that the table belongs to. A user and password in it become Basic
    /// authentication, and are never stored.
    /// </summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [FeedOfServer]
    [Alias("FeedUri")]
    [ArgumentCompleter(typeof(FeedUriCompleter))]
    public Uri? Uri { get; set; }

    /// <summary>The table's name; by default that of an existing file, else the last element of the URI's path that is a name.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [Alias("Name")]
    [ArgumentCompleter(typeof(TableCompleter))]
    public string? Table { get; set; }

    /// <summary>
    /// Keeps the table in a file, by default <c>table.db</c> in the current location; without it the table lives as long as this process.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public SwitchParameter Disk { get; set; }

    /// <summary>The table file; implies -Disk.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string? Path { get; set; }

    /// <summary>The table file, taken literally, without wildcards; implies -Disk.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string? LiteralPath { get; set; }

    /// <summary>
    /// Keeps the table in this PostgreSQL database instead of a file, for many machines to share. If several syncs write it, one leads and
    /// the others wait to take over.
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
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string? OrderBy { get; set; }

    /// <summary>
    /// The fields that form the key; by default the table's, else <c>id</c>, else the first field of the first record. Name a field inside
    /// an object by its JSON Pointer: /metadata/uid.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(FieldCompleter))]
    [AllowEmptyCollection]
    public string[] KeyProperty { get; set; } = [];

    /// <summary>A table from the pipeline, which knows its key, its order and its dialect, so that nobody gives them again.</summary>
    [Parameter(ValueFromPipeline = true, DontShow = true)]
    public TableInfo? KnownTable { get; set; }

    /// <summary>The cursor to start from, instead of the table's.</summary>
    [Parameter]
    public string? Since { get; set; }

    /// <summary>
    /// How to read the feed: Auto, Record, Transaction, the name of another server's dialect, a hashtable that describes one, or a file
    /// that ends in <c>.json</c>. ODataDelta:members@delta reads the members in a feed of groups, for a table of their own. The table
    /// stores it, so the next sync does not need it.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DialectCompleter))]
    public object? Dialect { get; set; }

    /// <summary>With -Follow, how many seconds to wait between polls of another server's feed; by default what its dialect says.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? IntervalSec { get; set; }

    /// <summary>Continues until Ctrl+C: waits for more, and reconnects.</summary>
    [Parameter]
    public SwitchParameter Follow { get; set; }

    /// <summary>Continues for this long: seconds, or a TimeSpan.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? FollowFor { get; set; }

    /// <summary>An endless feed counts as caught up when nothing has changed the table for this many seconds.</summary>
    [Parameter]
    [ValidateRange(0.0, 86400.0)]
    public double SettleSec { get; set; } = 1;

    /// <summary>Fetches the whole set again, and removes records that it does not contain.</summary>
    [Parameter]
    public SwitchParameter Resync { get; set; }

    /// <summary>Accepts a whole set this once, however many records it removes.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>
    /// The percentage of a table of more than 20 records that a whole set may remove if its end is uncertain; the table keeps this setting.
    /// By default 50. An empty set is accepted at 100 only.
    /// </summary>
    [Parameter]
    [ValidateRange(0, 100)]
    public int? SweepLimit { get; set; }

    /// <summary>
    /// Binds a table that belongs to another feed to this one. A feed that only moved to another host or port, and names the same identity,
    /// needs no -Rebind. Also continues from the cursor with another -Query, which must ask for the same records.
    /// </summary>
    [Parameter]
    public SwitchParameter Rebind { get; set; }

    /// <summary>
    /// How far before the cursor each connection starts, in the order field's own units, for feeds whose writers may be late.
    /// </summary>
    [Parameter]
    [ValidateRange(0.0, 1e18)]
    public decimal Lookback { get; set; }

    /// <summary>The largest record in bytes; a larger one is malformed.</summary>
    [Parameter]
    [ValidateRange(2, 1024 * 1024 * 1024)]
    public int MaximumRecordSize { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// How much memory the sync may use, in bytes, 64MB or more: smaller buffers make it slower. By default it uses as much as makes it
    /// fast, up to 250MB. PowerShell's own memory comes on top of that.
    /// </summary>
    [Parameter]
    [ValidateRange(64L * 1024 * 1024, long.MaxValue)]
    public long? MemoryLimit { get; set; }

    /// <summary>What to do with a malformed record.</summary>
    [Parameter]
    [OneOf(typeof(MalformedRecordAction))]
    public MalformedRecordAction MalformedRecord { get; set; }

    /// <summary>How many malformed records the table quarantines at most; the newest replace the oldest.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int QuarantineLimit { get; set; } = 10_000;

    /// <summary>
    /// How many attempts may fail in a row; by default none, and with -Follow any number. One that breaks off after something new starts
    /// the count again. Within an attempt, each request to another server's feed that answers 429 or 503 is repeated up to five times, when
    /// that server says.
    /// </summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? MaximumRetryCount { get; set; }

    /// <summary>
    /// The shortest wait before another attempt, in seconds; it doubles with each failure in a row, up to a minute, unless the server says
    /// when to come back (503).
    /// </summary>
    [Parameter]
    [ValidateRange(0.0, 86400.0)]
    public double RetryIntervalSec { get; set; } = 5;

    /// <summary>Waits for another sync of the same file to end, instead of failing.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>Determines which feed to sync into which table.</summary>
    /// <exception cref="InvalidOptionException">A parameter is invalid.</exception>
    private protected SyncPlan Locate()
    {
        // A variable that is not set must not mean another feed.
        if (IsNamed(nameof(Uri)) && string.IsNullOrEmpty(Uri?.OriginalString))
            throw new InvalidOptionException("-Uri is empty.", "Give the feed's URI, or leave -Uri out to sync a table with its own feed.");
        if (Uri is null)
            return LocateOwn();
        if (!Uri.IsAbsoluteUri)
        {
            throw new InvalidOptionException(
                $"'{Uri.OriginalString}' is not a feed's URI, which begins with http:// or https://.",
                $"Give the whole URI. To sync a table with the feed that it belongs to, name it: -Table {Uri.OriginalString}."
            );
        }

        var feed = FeedSettings.Of(this, Uri);
        var destination = TableDestination.Resolve(
            SessionState.Path,
            feed.Address.TableNameFor(DialectSetting.Of(KnownTable is null ? Dialect : null, SessionState.Path).Foreign),
            Table,
            Disk,
            IsMeant(nameof(Path)) ? Path : null,
            IsMeant(nameof(LiteralPath)) ? LiteralPath : null,
            ConnectionString,
            Private
        );
        return new SyncPlan(feed, destination);
    }

    /// <summary>An existing table, and the feed to which it belongs.</summary>
    private SyncPlan LocateOwn()
    {
        var path = IsMeant(nameof(Path)) && !string.IsNullOrEmpty(Path) ? FileSystemPath.ResolveOne(SessionState.Path, Path) : null;
        var file =
            path
            ?? (
                IsMeant(nameof(LiteralPath)) && !string.IsNullOrEmpty(LiteralPath)
                    ? FileSystemPath.ResolveLiteral(SessionState.Path, LiteralPath)
                    : null
            )
            ?? (Disk && !string.IsNullOrEmpty(Table) ? TableLookup.FileInCurrentLocation(SessionState.Path, Table) : null);
        if (file is null && string.IsNullOrEmpty(Table))
            throw new InvalidOptionException("No feed is named.", "Give its URI with -Uri, or with -Table a table that belongs to one.");
        TablePlace place = ConnectionString is { } database
            ? new SharedTables(database, stop: StopToken)
            : new LocalTables(SessionState.Path, StopToken);
        var found =
            file is not null ? FoundTable.OfFile(file, StopToken)
            : Find(place, Table!) is [var only] ? only
            : throw new InvalidOptionException(
                $"'{Table}' does not name one table.",
                $"Name one, or sync them all: Get-LockstepTable '{Table}' | Sync-LockstepTable."
            );
        var info = found.Describe();
        if (info.Uri is null)
        {
            throw new InvalidOptionException(
                $"The table '{info.Name}' belongs to no feed.",
                $"Name the feed: Sync-LockstepTable -Uri <URI> -Table {info.Name}."
            );
        }

        var own = FeedSettings.Of(this, info.Uri);
        WriteVerbose($"The table '{info.Name}' belongs to the feed {own.Address.Display}.");
        return new SyncPlan(own, TableDestination.Of(found, info.Name, Private));
    }

    private static IReadOnlyList<FoundTable> Find(TablePlace place, string table)
    {
        try
        {
            return place.ByName(table);
        }
        catch (TableNotFoundException e)
        {
            throw new TableNotFoundException(e.Name, e.Message, "A table that is new needs a feed: name it with -Uri.");
        }
    }

    /// <summary>The plan completed with all parameters.</summary>
    /// <param name="plan">The feed and the table.</param>
    /// <param name="log">As for <see cref="SyncOptions.LoggedTo"/>; null for nobody.</param>
    /// <exception cref="InvalidOptionException">A parameter is invalid.</exception>
    private protected SyncPlan Complete(SyncPlan plan, Action<bool, string>? log = null)
    {
        var store = plan.Destination.GetStore();
        var isKnown = KnownTable is { } known && known.Path == store.Description && known.Name == plan.Destination.Name;
        bool Counts(string parameter) => !isKnown || IsNamed(parameter);
        var dialect = DialectSetting.Of(Counts(nameof(Dialect)) ? Dialect : null, SessionState.Path);
        var options = new SyncOptions
        {
            Feed = plan.Feed,
            Store = store,
            TableName = plan.Destination.Name,
            Dialect = dialect.Own,
            Foreign = dialect.Foreign,
            PollInterval = IntervalSec,
            OrderBy = Counts(nameof(OrderBy)) ? NullIfEmpty(OrderBy) : null,
            KeyFields = Counts(nameof(KeyProperty)) && FeedSettings.Named(KeyProperty) is { Length: > 0 } keys ? keys : null,
            Since = NullIfEmpty(Since),
            Follow = Follow,
            FollowFor = FollowFor,
            Settle = TimeSpan.FromSeconds(SettleSec),
            MaximumRetryCount = MaximumRetryCount,
            RetryInterval = TimeSpan.FromSeconds(RetryIntervalSec),
            Resync = Resync,
            Rebind = Rebind,
            Force = Force,
            SweepLimit = SweepLimit,
            Lookback = Lookback,
            MaximumRecordSize = MaximumRecordSize,
            MemoryLimit = MemoryLimit,
            AsksForToken = TokenProvider is not null,
            MalformedRecord = (MalformedRecordPolicy)MalformedRecord,
            QuarantineLimit = QuarantineLimit,
            WaitForWriter = Wait,
            WantsChanges = plan.Wishes.Changes,
            EveryVersion = plan.Wishes.EveryVersion,
            WantsRecords = plan.Wishes.Records,
            Transforms = plan.Wishes.Transforms,
            LoggedTo = log ?? ((_, _) => { }),
        };
        options.Validate(CmdletWords.Say);
        return plan with { Options = options };
    }

    /// <summary>A feed read from a CSV file has empty texts where nothing is given.</summary>
    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    /// <summary>With a database, the path of an object from the pipeline only says where that object's own table is.</summary>
    private bool IsMeant(string path) => ConnectionString is null || IsNamed(path);
}
