using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>What tests of a sync against a raw server share.</summary>
public abstract class SyncTest : IDisposable
{
    private readonly TempFolder _folder = new();

    private protected string TablePath => _folder["servers.db"];

    private protected TableInfo Info => new Table(TablePath).GetInfo();

    private protected IReadOnlyCollection<string> Keys => SyncRun.Read(TablePath).Keys;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => _folder.Dispose();

    private protected static string Record(int id, long order, string? more = null) =>
        $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":null{{more}}}""" + "\n";

    private protected static string Gone(int id, long order) => $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":{{order}}}""" + "\n";

    private protected static string Row(int id, long order, bool deleted = false) =>
        $$$"""{"txid":{{{order}}},"current_xmin":{{{order}}},"since":{{{order}}},"deleted":{{{(deleted ? "true" : "false")}}}"""
        + $$$""","data":{"id":{{{id}}}}}"""
        + "\n";

    private protected static string Completed(long since) =>
        $$"""{"control":true,"type":"snapshot_completed","timestamp":1,"since":{{since}}}""" + "\n";

    private protected static string Beat(long since) => $$"""{"control":true,"type":"heartbeat","timestamp":1,"since":{{since}}}""" + "\n";

    /// <summary>A sync on a manual clock, and what advances the clock.</summary>
    private protected static (TableSync Sync, Pace Pace) Paced(SyncOptions options)
    {
        var time = new ManualTimeProvider();
        var sync = new TableSync(options, time);
        return (sync, new Pace(sync, time));
    }

    private protected string Folder(string name) => _folder[name];

    private protected SyncOptions Options(
        RawServer server,
        bool follow = false,
        TimeSpan? followFor = null,
        int? retries = null,
        bool resync = false,
        string? since = null,
        decimal lookback = 0,
        MalformedRecordPolicy malformed = MalformedRecordPolicy.Stop,
        double settle = 0.3,
        double idle = 30,
        double connect = 30,
        Uri? uri = null,
        int maximum = 1 << 20,
        int quarantineLimit = 10_000,
        bool rebind = false,
        double interval = 0.02,
        bool force = false,
        bool repair = false
    ) =>
        new()
        {
            Feed = new FeedOptions
            {
                Uri = uri ?? server.FeedUri,
                OperationTimeout = TimeSpan.FromSeconds(idle),
                ConnectionTimeout = TimeSpan.FromSeconds(connect),
            },
            Store = new FileTableStore(TablePath),
            Settle = TimeSpan.FromSeconds(settle),
            RetryInterval = TimeSpan.FromSeconds(interval),
            Follow = follow,
            FollowFor = followFor,
            MaximumRetryCount = retries,
            Resync = resync,
            Since = since,
            Lookback = lookback,
            MalformedRecord = malformed,
            MaximumRecordSize = maximum,
            QuarantineLimit = quarantineLimit,
            Rebind = rebind,
            Force = force,
            Repair = repair,
            WantsChanges = true,
        };
}
