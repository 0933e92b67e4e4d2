using System.Collections.Concurrent;

namespace Lockstep.Engine.Sync;

/// <summary>The syncs that run in this process, by table file, so that others can see their state. Any thread.</summary>
public static class RunningSyncs
{
    private static readonly ConcurrentDictionary<string, TableSync> Running = new(StringComparer.Ordinal);

    /// <summary>What the sync of a table file is doing; null when none runs in this process.</summary>
    /// <param name="path">The file's full path.</param>
    public static SyncResult? Find(string path) => Running.TryGetValue(path, out TableSync? sync) ? sync.Result : null;

    internal static void Add(TableSync sync) => Running[sync.Result.Path] = sync;

    internal static void Remove(TableSync sync) => Running.TryRemove(new KeyValuePair<string, TableSync>(sync.Result.Path, sync));
}
