using System.Diagnostics;
using System.Globalization;
using System.Net;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Bench.Gossip;

/// <summary>Five models in a row over TCP on loopback; how long an update takes from the first to the last, one update at a time.</summary>
internal static class ChainLatency
{
    private const int Nodes = 5;
    private const int Warmup = 500;
    private const int Updates = 2000;

    public static async Task RunAsync()
    {
        var models = Enumerable.Range(0, Nodes).Select(static _ => new LockstepModel()).ToArray();
        var links = new List<IAsyncDisposable>();
        for (var i = 0; i + 1 < Nodes; i++)
        {
            var listener = GossipListener.Start(
                new IPEndPoint(IPAddress.Loopback, 0),
                new GossipHub(KeyValuePair.Create<string, GossipNode>("chain", models[i]))
            );
            var connector = new GossipConnector(models[i + 1], listener.Uri);
            await connector.WaitForSyncAsync().ConfigureAwait(false);
            links.AddRange([connector, listener]);
        }

        var arrival = new Arrival();
        using var subscription = models[^1].Subscribe(arrival);
        var times = new double[Updates];
        for (var i = -Warmup; i < Updates; i++)
        {
            var arrived = arrival.Expect();
            var started = Stopwatch.GetTimestamp();
            models[0].Set("key", i);
            var at = await arrived.ConfigureAwait(false);
            if (i >= 0)
            {
                times[i] = Stopwatch.GetElapsedTime(started, at).TotalMicroseconds;
            }
        }

        foreach (var link in links)
        {
            await link.DisposeAsync().ConfigureAwait(false);
        }

        Array.Sort(times);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"one update through a chain of {Nodes} nodes over loopback: median {times[Updates / 2]:N0} us, 95 % "
                    + $"{times[Updates * 95 / 100]:N0} us, 99 % {times[Updates * 99 / 100]:N0} us"
            )
        );
    }

    private sealed class Arrival : IGossipObserver
    {
        private TaskCompletionSource<long> _next = new();

        public Task<long> Expect()
        {
            _next = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            return _next.Task;
        }

        public void OnUpdate(GossipUpdate update) => _next.TrySetResult(Stopwatch.GetTimestamp());
    }
}
