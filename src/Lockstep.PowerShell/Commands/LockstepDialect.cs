using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Sync;

namespace Lockstep.Commands;

/// <summary>Lists the built-in dialects for other servers' feeds.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepDialect")]
[OutputType(typeof(DialectInfo))]
public sealed class GetLockstepDialectCommand : LockstepCmdlet
{
    /// <summary>The dialects' names; wildcards are allowed. All by default.</summary>
    [Parameter(Position = 0)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(DialectCompleter))]
    public string[] Name { get; set; } = ["*"];

    private protected override void Process()
    {
        WildcardPattern[] patterns = [.. Name.Select(name => new WildcardPattern(name, PatternOptions.AnyCase))];
        foreach (var dialect in BuiltInDialects.All.Where(dialect => patterns.Any(pattern => pattern.IsMatch(dialect.Name))))
            WriteObject(dialect.ToModel());
    }
}

/// <summary>Shows, request by request, what a dialect reads from a feed. It changes no table.</summary>
[Cmdlet(VerbsDiagnostic.Test, "LockstepDialect")]
[OutputType(typeof(DialectRequestInfo))]
public sealed class TestLockstepDialectCommand : FeedCmdlet
{
    private string? _feed;

    /// <summary>The feed, or a test server of this session.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [FeedOfServer]
    public Uri Uri { get; set; } = null!;

    /// <summary>
    /// A dialect's name, a hashtable that describes one, or a file that ends in <c>.json</c>; by default what the feed looks like.
    /// </summary>
    [Parameter(Position = 1)]
    [ArgumentCompleter(typeof(DialectCompleter))]
    public object? Dialect { get; set; }

    /// <summary>The fields that form the key, or JSON Pointers to them; by default the dialect's.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(FieldCompleter))]
    [AllowEmptyCollection]
    public string[] KeyProperty { get; set; } = [];

    /// <summary>How many requests to show at most.</summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    public int MaximumRequestCount { get; set; } = 5;

    private protected override object? ErrorTarget => _feed;

    private protected override void Process()
    {
        var options = FeedSettings.Of(this, Uri);
        _feed = options.Address.Display;
        var dialect = DialectSetting.Of(Dialect, SessionState.Path);
        var folder = Directory.CreateTempSubdirectory("lockstep-");
        var trial = new DialectTrial(this, MaximumRequestCount, TokenProvider);
        try
        {
            var sync = new TableSync(
                new SyncOptions
                {
                    Feed = options,
                    Store = new FileTableStore(Path.Combine(folder.FullName, "trial.db")),
                    Dialect = dialect.Own,
                    Foreign = dialect.Foreign,
                    KeyFields = FeedSettings.Named(KeyProperty) is { Length: > 0 } keys ? keys : null,
                    AsksForToken = TokenProvider is not null,
                    DialectObserver = trial.Note,
                }
            );
            Pump(trial.RunAsync(sync, StopToken), trial.Take);
        }
        finally
        {
            trial.Show();
            folder.Delete(recursive: true);
        }
    }
}
