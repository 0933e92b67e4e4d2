using System.Collections.Concurrent;

namespace Lockstep.Engine.Sync;

/// <summary>The syncs that run in this process, by table, so that others can see their state. Any thread.</summary>
internal static class RunningSyncs
{
    private static readonly ConcurrentDictionary<(string Location, string Table), TableSync> Running = new();

    /// <summary>What a table's sync is doing; null if none is running in this process.</summary>
    /// <param name="location">The store's description: a file's full path, or the database in words.</param>
    /// <param name="table">The table's name; null if the store holds only one.</param>
    public static SyncResult? Find(string location, string? table = null) =>
        table is not null
            ? Running.TryGetValue((location, table), out var sync)
                ? sync.Result
                : null
            : Running.Where(running => running.Key.Location == location).Select(running => running.Value.Result).FirstOrDefault();

    internal static void Add(TableSync sync) => Running[KeyOf(sync)] = sync;

    internal static void Remove(TableSync sync) => Running.TryRemove(new KeyValuePair<(string, string), TableSync>(KeyOf(sync), sync));

    private static (string Location, string Table) KeyOf(TableSync sync)
    {
        var result = sync.Result;
        return (result.Location, result.Table);
    }
}
