using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Worker;

/// <summary><c>worker sqlite|postgres|redis connection skew-in-ms variable...</c></summary>
internal static class Program
{
    private static async Task Main(string[] args)
    {
        var time = new SkewedTime(TimeSpan.FromMilliseconds(double.Parse(args[2], CultureInfo.InvariantCulture)));
        await using var store = new Recorder(Open(args[0], args[1]), time);
        await using var locker = new TickLocker(
            store,
            new TickLockerOptions
            {
                TimeProvider = time,
                Observer = store,
                SwitchOnOwnThread = true,
            }
        );
        var variables = new List<TickVariable<string>>();
        foreach (var name in args[3..])
            variables.Add(await locker.OpenAsync<string>(name));

        var looker = new Looker(variables);
        using var probe = new StallProbe();
        Answer(new Reply(0));
        var editor = new TickEditor(store, $"worker {Environment.ProcessId}") { KeepExpired = null };
        var running = new List<Task>();
        while (await Console.In.ReadLineAsync() is { } line)
            running.Add(Task.Run(() => DoAsync(editor, JsonSerializer.Deserialize<Command>(line)!)));

        await Task.WhenAll(running);
        var sightings = looker.Stop();
        foreach (var variable in variables)
            store.EndStale(variable.Name);
        Answer(
            new Reply(
                -1,
                Report: new Report(
                    sightings,
                    [.. store.Switches],
                    [.. store.Reads],
                    [.. store.Stale],
                    probe.Stalls,
                    DateTimeOffset.UtcNow,
                    store.SkewWarnings
                )
            )
        );
    }

    private static ITickStore Open(string kind, string connection) =>
        kind switch
        {
            "sqlite" => new SqliteTickStore(connection),
            "postgres" => new PostgresTickStore(connection),
            _ => new RedisTickStore(connection),
        };

    private static async Task DoAsync(TickEditor editor, Command command)
    {
        var begun = Stopwatch.GetTimestamp();
        try
        {
            var change =
                command.Kind == "remove"
                    ? await editor.RemoveAsync(command.Variable, command.At!.Value)
                    : await editor.SetValueAsync(
                        command.Variable,
                        command.Value,
                        command.At,
                        command.TickMs is { } tick ? TimeSpan.FromMilliseconds(tick) : null,
                        replace: command.Kind == "replace"
                    );
            Answer(
                new Reply(command.Id, change?.ActiveAt, change?.IsLate ?? false, TookMs: Stopwatch.GetElapsedTime(begun).TotalMilliseconds)
            );
        }
        catch (Exception e) when (e is TickException)
        {
            Answer(
                new Reply(command.Id, Error: e.GetType().Name + ((e as TickStoreUnavailableException)?.OutcomeUnknown == true ? "?" : ""))
            );
        }
    }

    private static void Answer(Reply reply)
    {
        lock (Console.Out)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(reply));
            Console.Out.Flush();
        }
    }

    /// <summary>A clock that is off.</summary>
    private sealed class SkewedTime(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    /// <summary>Looks at all variables again and again, as a server's requests do.</summary>
    private sealed class Looker
    {
        private readonly List<Sighting> _sightings = [];
        private readonly Thread _thread;
        private volatile bool _stop;

        public Looker(List<TickVariable<string>> variables)
        {
            _thread = new Thread(() => Look(variables)) { IsBackground = true };
            _thread.Start();
        }

        public List<Sighting> Stop()
        {
            _stop = true;
            _thread.Join();
            return _sightings;
        }

        private void Look(List<TickVariable<string>> variables)
        {
            var values = variables.ConvertAll(variable => variable.Get());
            var looked = variables.ConvertAll(_ => DateTimeOffset.UtcNow);
            while (!_stop)
            {
                for (var i = 0; i < variables.Count; i++)
                {
                    var before = DateTimeOffset.UtcNow;
                    var value = variables[i].Get();
                    if (value != values[i])
                        _sightings.Add(new Sighting(variables[i].Name, value, looked[i], DateTimeOffset.UtcNow));
                    (values[i], looked[i]) = (value, before);
                }

                // Often enough for the tolerance; more often, sixteen processes would leave the store no processor.
                Thread.Sleep(10);
            }
        }
    }
}
