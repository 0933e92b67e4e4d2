using System.Diagnostics;
using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Testing;
using Lockstep.Ticks;
using Lockstep.Ticks.Worker;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// Up to 16 processes, four per processor, with skewed clocks over one store; several of them change variables at once, the store goes down
/// and comes back. A worker looks at its variables every few milliseconds and records between which two looks a value changed. The test
/// judges what a request would have seen: a look that surely came too late and still found the old value, or surely too early and found the
/// new one. A machine that stops a worker for a while makes no such look. Time is real here, so it runs only on request, with nothing
/// beside it: <c>LOCKSTEP_LONG=1</c>, as <c>.ci/run</c> does by the trait after all other tests.
/// </summary>
[Trait("Needs", "QuietMachine")]
[Collection(nameof(ManyProcessesTests))]
[CollectionDefinition(nameof(ManyProcessesTests), DisableParallelization = true)]
public sealed class ManyProcessesTests(ITestOutputHelper output)
{
    /// <summary>As many as the machine can run: with more, the test would be of how processors are shared.</summary>
    private static readonly int Processes = Math.Clamp(4 * Environment.ProcessorCount, 8, 16);

    private const int Changes = 50;
    private static readonly TimeSpan SkewBound = TimeSpan.FromMilliseconds(60);
    private static readonly TimeSpan Tolerance = SkewBound + TimeSpan.FromMilliseconds(50);
    private static readonly string[] Variables = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    private static readonly int?[] Ticks = [null, null, null, 1200, 1600, 2300];
    private static readonly TickSettings Settings = new(TimeSpan.FromMilliseconds(1600), SkewBound, TimeSpan.FromMilliseconds(200));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Over_one_SQLite_file_all_switch_together()
    {
        using var folder = new TempFolder();
        var live = Path.Combine(folder.Path, "live");
        Directory.CreateDirectory(live);
        var path = Path.Combine(live, "ticks.db");
        await using var store = new SqliteTickStore(path, Settings);
        await store.ReadSettingsAsync(Cancel);

        await RunAsync(
            "sqlite",
            path,
            store,
            down: () => Task.Run(() => Directory.Move(live, folder["away"])),
            up: () => Task.Run(() => Directory.Move(folder["away"], live))
        );
    }

    [Fact]
    public async Task Over_one_Postgres_all_switch_together()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var store = new PostgresTickStore(server.ConnectionString, Settings);
        await store.ReadSettingsAsync(Cancel);

        await RunAsync("postgres", server.ConnectionString, store, () => server.CrashAsync(Cancel), () => server.StartAsync(Cancel));
    }

    [Fact]
    public async Task Over_one_Redis_all_switch_together()
    {
        await using var server = await RedisServer.StartDurableAsync(Cancel);
        var uri = $"redis://{server.Host}?fsync=always";
        await using var store = new RedisTickStore(uri, Settings);
        await store.ReadSettingsAsync(Cancel);

        await RunAsync("redis", uri, store, server.KillAsync, () => server.StartAsync(Cancel));
    }

    private async Task RunAsync(string kind, string connection, ITickStore store, Func<Task> down, Func<Task> up)
    {
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("LOCKSTEP_LONG") == "1",
            "Processes that switch together in real time say nothing on a machine that runs other tests beside them. Set "
                + "LOCKSTEP_LONG=1 and run this project alone."
        );
        var workers = new List<WorkerProcess>();
        try
        {
            // A few at a time: starting sixteen at once, beside whatever else runs, would take seconds.
            foreach (var group in Enumerable.Range(0, Processes).Chunk(4))
            {
                // The extremes of the bound are among the skews.
                workers.AddRange(
                    group.Select(i => WorkerProcess.Start(kind, connection, SkewBound * ((2.0 * i / (Processes - 1)) - 1), Variables))
                );
                await Task.WhenAll(workers.Select(worker => worker.Ready)).WaitAsync(Cancel);
            }

            var drive = new Drive(workers, new Random(7));
            var ready = DateTimeOffset.UtcNow;

            await drive.UntilAsync(Changes / 2, Cancel);
            var downAt = DateTimeOffset.UtcNow;
            await down();
            await drive.FailAsync(Cancel);
            await Task.Delay(2 * Settings.DefaultTick, Cancel);
            await up();
            var upAt = DateTimeOffset.UtcNow;
            await drive.UntilAsync(Changes, Cancel);

            var schedules = new Dictionary<string, TickSchedule>();
            foreach (var name in Variables)
                schedules[name] = (await store.ReadAsync(name, Cancel)).Schedule;
            var end = schedules.Values.SelectMany(schedule => schedule.Tuples).Max(tuple => tuple.ActiveAt) + Settings.DefaultTick;
            await Task.Delay(Max(TimeSpan.Zero, end - DateTimeOffset.UtcNow), Cancel);
            var reports = await Task.WhenAll(workers.Select(worker => worker.StopAsync(Cancel)));

            await CheckChangesAsync(drive, store, schedules);
            var late = await LateValuesAsync(drive, store);
            var judge = new Judge(schedules, Settings, Tolerance, ready, downAt, upAt, late);
            for (var i = 0; i < workers.Count; i++)
                judge.Hear(workers[i].Skew, reports[i]);
            output.WriteLine($"{drive} {judge}");
            foreach (var name in judge.Faulty)
            {
                var trail = await store.ReadAuditAsync(name, int.MaxValue, Cancel);
                output.WriteLine(
                    string.Join(
                        Environment.NewLine,
                        trail.Select(entry =>
                            $"{name} {entry.At:ss.fff} {entry.Operation.Action} {entry.Operation.MovedFrom:ss.fff} "
                            + $"{entry.Operation.Tuple.ActiveAt:ss.fff} {entry.Operation.Tuple.Json} "
                            + $"{entry.Operation.Tuple.Tick.TotalMilliseconds}"
                        )
                    )
                );
            }

            Assert.Empty(judge.Faults);
            Assert.SkipWhen(judge.IsMachineTooBusy, "This machine is too busy to tell: " + judge);
            Assert.True(judge.Seen >= Processes * Changes / 3, judge.ToString());
        }
        finally
        {
            foreach (var worker in workers)
                await worker.DisposeAsync();
        }
    }

    /// <summary>No update was lost: what each writer was told is what the store holds and what the audit trail says.</summary>
    private static async Task CheckChangesAsync(Drive drive, ITickStore store, Dictionary<string, TickSchedule> schedules)
    {
        foreach (var (name, schedule) in schedules)
        {
            var replayed = new TickSchedule(schedule.DefaultTick);
            foreach (var entry in await store.ReadAuditAsync(name, int.MaxValue, Cancel))
            {
                replayed = new TickEdit([entry.Operation], null, null).ApplyTo(replayed);
            }

            // The trail says what was done, not what was requested.
            Assert.Equal(replayed.Tuples.Select(What), schedule.Tuples.Select(What));
            var promised = drive.Set.Where(set => set.Variable == name).Select(set => set.Value);
            var removed = drive.Removed.Where(remove => remove.Variable == name).Select(remove => remove.Value);
            var held = schedule.Tuples.Select(tuple => tuple.Json.Trim('"')).ToList();
            Assert.Empty(promised.Except(removed).Except(held));
            Assert.Empty(removed.Intersect(held));
        }
    }

    private static (DateTimeOffset, string, TimeSpan) What(TickTuple tuple) => (tuple.ActiveAt, tuple.Json, tuple.Tick);

    /// <summary>The values of all changes that a writer was told had been committed late.</summary>
    private static async Task<HashSet<(string Variable, string Value)>> LateValuesAsync(Drive drive, ITickStore store)
    {
        var values = new HashSet<(string, string)>();
        foreach (var name in drive.Late.Select(late => late.Variable).Distinct())
        {
            var trail = await store.ReadAuditAsync(name, int.MaxValue, Cancel);
            foreach (
                var change in trail
                    .GroupBy(entry => entry.ChangeId)
                    .Where(change => change.Any(entry => drive.Late.Contains((name, ValueOf(entry)))))
            )
            {
                values.UnionWith(change.Select(entry => (name, ValueOf(entry))));
            }
        }

        return values;

        static string ValueOf(TickAuditEntry entry) => entry.Operation.Tuple.Json.Trim('"');
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    /// <summary>
    /// Makes the workers change variables: a mix of sets, scheduled sets, removals and tick changes, several at once and also on one
    /// variable.
    /// </summary>
    private sealed class Drive(List<WorkerProcess> workers, Random random)
    {
        private int _values;
        private int _conflicts;

        public List<(string Variable, string Value)> Late { get; } = [];

        public List<(string Variable, string Value, DateTimeOffset At)> Set { get; } = [];

        public List<(string Variable, string Value)> Removed { get; } = [];

        public int Landed => Set.Count + Removed.Count;

        public async Task UntilAsync(int landed, CancellationToken cancellationToken)
        {
            var watch = Stopwatch.StartNew();
            while (Landed < landed)
            {
                // Only guards against a hang: on two busy cores each worker's first change takes seconds, mostly for compiling.
                Assert.True(watch.Elapsed < TimeSpan.FromMinutes(2), $"Changes do not land: {this}");
                var hot = Variables[random.Next(Variables.Length)];
                await Task.WhenAll(SetAsync(hot, cancellationToken), SetAsync(hot, cancellationToken), ChangeAnyAsync(cancellationToken));
                await Task.Delay(random.Next(150, 350), cancellationToken);
            }
        }

        public async Task FailAsync(CancellationToken cancellationToken)
        {
            var reply = await TellAsync(new Command(0, "set", "a", "never"), cancellationToken);
            Assert.Equal(nameof(TickStoreUnavailableException), reply.Error);
        }

        public override string ToString() =>
            $"{Set.Count} set, {Removed.Count} removed, {_conflicts} conflicts or refusals, {Late.Count} late commits.";

        private Task ChangeAnyAsync(CancellationToken cancellationToken)
        {
            // Often enough, something that was scheduled well ahead is removed again.
            var pending = Set.Where(set => set.At > DateTimeOffset.UtcNow.AddSeconds(4) && !Removed.Contains((set.Variable, set.Value)))
                .ToList();
            return pending.Count > 0 && random.Next(2) == 0
                ? RemoveAsync(pending[random.Next(pending.Count)], cancellationToken)
                : SetAsync(Variables[random.Next(Variables.Length)], cancellationToken, TimeSpan.FromSeconds(random.Next(4, 7)));
        }

        private async Task SetAsync(string variable, CancellationToken cancellationToken, TimeSpan ahead = default)
        {
            var value = $"{variable}{++_values}";
            DateTimeOffset? at = ahead == default ? null : DateTimeOffset.UtcNow + ahead;
            var reply = await TellAsync(new Command(0, "set", variable, value, at, Ticks[random.Next(Ticks.Length)]), cancellationToken);
            if (reply.ActiveAt is { } activeAt)
                Set.Add((variable, value, activeAt));
        }

        private async Task RemoveAsync((string Variable, string Value, DateTimeOffset At) set, CancellationToken cancellationToken)
        {
            // A move may have put another value there since: only the schedule knows, and a removal tells only its caller what it removed.
            var reply = await TellAsync(new Command(0, "remove", set.Variable, set.Value, set.At), cancellationToken);
            if (reply.ActiveAt is not null)
                Removed.Add((set.Variable, set.Value));
        }

        private async Task<Reply> TellAsync(Command command, CancellationToken cancellationToken)
        {
            var reply = await workers[random.Next(workers.Count)].TellAsync(command, cancellationToken);
            if (reply.IsLate)
                Late.Add((command.Variable, command.Value!));
            if (reply.Error is nameof(TickConflictException) or nameof(TickTooLateException))
                _conflicts++;
            return reply;
        }
    }
}
