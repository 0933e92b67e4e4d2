using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

// Syncs the feed of the first argument to the table file of the second, through all interruptions, until the feed ends. Made to be killed
// at any moment.
var options = new SyncOptions
{
    Feed = new FeedOptions { Uri = new Uri(args[0]) },
    Store = new FileTableStore(args[1]),
    MaximumRetryCount = 1000,
    RetryInterval = TimeSpan.FromMilliseconds(5),
};
await foreach (var step in new TableSync(options).RunAsync())
{
    if (step is SyncEnded { Result.EndReason: SyncEndReason.EndOfFeed })
        return 0;
}

return 1;
