using System.Diagnostics;
using System.Globalization;
using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Ticks;

namespace Lockstep.Bench.Ticks;

/// <summary>
/// How long a change of a tick variable takes in each store: for one writer, and for twenty that write the same variable without a pause,
/// each over its own connection. Memory and a file are always included; servers are named.
/// </summary>
internal static class SetRun
{
    private const int Writers = 20;
    private const int WritesEach = 25;
    private static readonly TickStoreNames Names = new(new PostgresTickStoreKind(), new RedisTickStoreKind());

    /// <param name="servers">Connection strings or URIs of PostgreSQL and Redis.</param>
    public static async Task RunAsync(IEnumerable<string> servers)
    {
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-").FullName;
        var memory = new MemoryTickStore();
        Console.WriteLine("| Store | Writers | p50 ms | p99 ms | longest ms |");
        Console.WriteLine("| --- | --: | --: | --: | --: |");
        await PrintAsync("memory", () => Task.FromResult<ITickStore>(memory)).ConfigureAwait(false);
        foreach (var name in servers.Prepend(Path.Combine(folder, "ticks.db")))
        {
            await PrintAsync(
                    Names.IsFile(name) ? "SQLite" : Names.Describe(name),
                    () => Names.OpenAsync(name, TickSettings.Default, CancellationToken.None)
                )
                .ConfigureAwait(false);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static async Task PrintAsync(string what, Func<Task<ITickStore>> open)
    {
        // Most of the first changes' time is connecting and compiling.
        await MeasureAsync(open, writers: 2, writes: 20).ConfigureAwait(false);
        foreach (var (writers, writes) in new[] { (1, Writers * WritesEach), (Writers, WritesEach) })
        {
            var took = await MeasureAsync(open, writers, writes).ConfigureAwait(false);
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {what} | {writers} | {took[took.Count / 2]:0.0} | {took[took.Count * 99 / 100]:0.0} | {took[^1]:0.0} |"
                )
            );
        }
    }

    private static async Task<List<double>> MeasureAsync(Func<Task<ITickStore>> open, int writers, int writes)
    {
        var times = await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(() => WriteAsync(open, writes))))
            .ConfigureAwait(false);
        return [.. times.SelectMany(each => each).Order()];
    }

    private static async Task<List<double>> WriteAsync(Func<Task<ITickStore>> open, int writes)
    {
        var store = await open().ConfigureAwait(false);
        var editor = new TickEditor(store, "bench");
        await editor.SetAsync($"own-{Guid.NewGuid():N}", "0").ConfigureAwait(false);
        var times = new List<double>();
        for (var i = 0; i < writes; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            await editor.SetAsync("contended", $"{i}", replace: true).ConfigureAwait(false);
            times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }

        await store.DisposeAsync().ConfigureAwait(false);
        return times;
    }
}
