using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Testing;
using Lockstep.Ticks;
using Lockstep.Ticks.Worker;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// Twenty processes that write one variable without a pause: nothing is lost, and no one waits long for a turn. Time is real here, as in
/// <see cref="ManyProcessesTests"/>.
/// </summary>
[Trait("Needs", "QuietMachine")]
[Collection(nameof(ManyProcessesTests))]
public sealed class ManyWritersTests(ITestOutputHelper output)
{
    private const string Name = "contended";
    private const int Processes = 20;
    private const int Writes = 25;

    // A tenth of a second is usual on a quiet machine; whoever waits as long as this is starved.
    private static readonly TimeSpan LongestP99 = TimeSpan.FromSeconds(10);
    private static readonly TickSettings Settings = TickSettings.Default;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Over_one_SQLite_file()
    {
        using var folder = new TempFolder();
        await using var store = new SqliteTickStore(folder["ticks.db"], Settings);
        await RunAsync("sqlite", folder["ticks.db"], store);
    }

    [Fact]
    public async Task Over_one_Postgres()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var store = new PostgresTickStore(server.ConnectionString, Settings);
        await RunAsync("postgres", server.ConnectionString, store);
    }

    [Fact]
    public async Task Over_one_Redis()
    {
        await using var server = await RedisServer.StartDurableAsync(Cancel);
        var uri = $"redis://{server.Host}";
        await using var store = new RedisTickStore(uri, Settings);
        await RunAsync("redis", uri, store);
    }

    private async Task RunAsync(string kind, string connection, ITickStore store)
    {
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("LOCKSTEP_LONG") == "1",
            "How long twenty processes wait for their turns says nothing on a machine that runs other tests beside them. "
                + "Set LOCKSTEP_LONG=1 and run this project alone."
        );
        await store.ReadSettingsAsync(Cancel);
        var workers = new List<WorkerProcess>();
        try
        {
            foreach (var group in Enumerable.Range(0, Processes).Chunk(4))
            {
                workers.AddRange(group.Select(_ => WorkerProcess.Start(kind, connection, TimeSpan.Zero, [Name])));
                await Task.WhenAll(workers.Select(worker => worker.Ready)).WaitAsync(Cancel);
            }

            // Most of a process's first change is compiling.
            await Task.WhenAll(workers.Select((worker, i) => worker.TellAsync(new Command(0, "replace", $"own{i}", "warm"), Cancel)));
            var replies = await Task.WhenAll(workers.Select(WriteAsync));
            var took = replies.SelectMany(times => times).Order().ToList();
            output.WriteLine($"{kind}: p50 {took[took.Count / 2]:0} ms, p99 {took[took.Count * 99 / 100]:0} ms, longest {took[^1]:0} ms");

            var trail = await store.ReadAuditAsync(Name, int.MaxValue, Cancel);
            Assert.Equal(
                Enumerable.Range(0, Processes).SelectMany(i => Enumerable.Range(0, Writes).Select(n => $"\"{i}-{n}\"")).Order(),
                trail.Where(entry => entry.Operation.Action == TickAction.Set).Select(entry => entry.Operation.Tuple.Json).Order()
            );
            Assert.InRange(took[took.Count * 99 / 100], 0, LongestP99.TotalMilliseconds);
        }
        finally
        {
            foreach (var worker in workers)
                await worker.DisposeAsync();
        }

        async Task<List<double>> WriteAsync(WorkerProcess worker, int i)
        {
            var times = new List<double>();
            for (var n = 0; n < Writes; n++)
            {
                var reply = await worker.TellAsync(new Command(0, "replace", Name, $"{i}-{n}"), Cancel);
                Assert.Null(reply.Error);
                times.Add(reply.TookMs);
            }

            return times;
        }
    }
}
