using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

// Syncs the feed of the first argument to the table file of the second, through all interruptions, until the feed ends. The third names or
// describes its dialect, and a fourth says that it is to be followed. Made to be killed at any moment.
var isForeign = args.Length > 2;
var options = new SyncOptions
{
    Feed = new FeedOptions { Uri = new Uri(args[0]) },
    Store = new FileTableStore(args[1]),
    Foreign =
        !isForeign ? null
        : args[2].StartsWith('{') ? DialectDescription.Parse(args[2], "worker")
        : DialectDescription.Load(args[2]),
    TableName = isForeign ? "soak" : null,
    Follow = args.Length > 3,
    Settle = isForeign ? TimeSpan.FromMilliseconds(40) : TimeSpan.FromSeconds(1),
    MaximumRetryCount = 1000,
    RetryInterval = TimeSpan.FromMilliseconds(5),
};
try
{
    await foreach (var step in new TableSync(options).RunAsync())
    {
        if (step is SyncEnded { Result.EndReason: SyncEndReason.EndOfFeed })
            return 0;
    }
}
catch (LockstepException) when (isForeign)
{
    // The server answers with all kinds of errors, and the next worker tries again.
}

return 1;
