using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Tables;

namespace Lockstep.Sync;

/// <summary>How records are imported, whatever their source.</summary>
internal sealed record ImportSettings(
    string? OrderBy,
    string[] KeyProperty,
    FeedDialect Dialect,
    MalformedRecordAction MalformedRecord,
    bool Wait
)
{
    /// <param name="destination">Where the table is.</param>
    /// <param name="source">The source's name in results and errors.</param>
    /// <exception cref="TableBusyException">A sync is writing to the table, and the settings say not to wait.</exception>
    public SyncOptions For(TableDestination destination, Uri source)
    {
        var store = destination.GetStore();
        if (!Wait)
            store.RequireFree(destination.Name ?? Engine.TableNaming.Default);
        return new SyncOptions
        {
            Feed = new FeedOptions { Uri = source },
            Store = store,
            TableName = destination.Name,
            OrderBy = OrderBy,
            KeyFields = KeyProperty.Length > 0 ? KeyProperty : null,
            Dialect = (Dialect)Dialect,
            MalformedRecord = (MalformedRecordPolicy)MalformedRecord,
            WaitForWriter = Wait,
        };
    }
}
