using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Bench.Gossip;

/// <summary>
/// The counterpart of npm's peer.js: <c>listen keys</c> fills a model and serves it; <c>dial port keys times</c> fetches it into a new
/// model that many times. Each prints one JSON line when it is ready or done; the dialler measures its time from the dial to the last key.
/// </summary>
internal static class Program
{
    private static Task Main(string[] args) =>
        args[0] == "listen" ? ListenAsync(Number(args[1])) : DialAsync(Number(args[1]), Number(args[2]), Number(args[3]));

    private static async Task ListenAsync(int keys)
    {
        var model = new LockstepModel();
        for (var i = 0; i < keys; i++)
        {
            model.SetJson(
                string.Create(CultureInfo.InvariantCulture, $"key{i}"),
                Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{i},\"name\":\"value {i}\"}}"))
            );
        }

        await using var listener = GossipListener.Start(
            new IPEndPoint(IPAddress.Loopback, 0),
            new GossipHub(KeyValuePair.Create<string, GossipNode>("bench", model))
        );
        Say(new JsonObject { ["port"] = listener.Uri.Port });
        await Console.In.ReadToEndAsync();
        Say(new JsonObject { ["peak"] = Peak() });
    }

    private static async Task DialAsync(int port, int keys, int times)
    {
        var results = new JsonArray();
        using var process = Process.GetCurrentProcess();
        for (var i = 0; i < times; i++)
        {
            await using var model = new LockstepModel();
            var all = new AllKeys(keys);
            using var subscription = model.Subscribe(all);
            process.Refresh();
            var cpu = process.TotalProcessorTime;
            var started = Stopwatch.GetTimestamp();
            model.Attach(await GossipDialer.ConnectAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"tcp://127.0.0.1:{port}"))));
            await all.Done;
            var elapsed = Stopwatch.GetElapsedTime(started);
            process.Refresh();
            results.Add(
                (JsonNode)
                    new JsonObject
                    {
                        ["milliseconds"] = elapsed.TotalMilliseconds,
                        ["cpu"] = (process.TotalProcessorTime - cpu).TotalMilliseconds,
                        ["peak"] = Peak(),
                    }
            );
        }

        Say(new JsonObject { ["times"] = results });
    }

    /// <summary>The peak resident set in KiB, in the unit of node's resourceUsage.</summary>
    private static double Peak()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1024.0;
    }

    private static void Say(JsonObject value) => Console.WriteLine(value.ToJsonString());

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private sealed class AllKeys(int expected) : IGossipObserver
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _seen;

        public Task Done => _done.Task;

        public void OnUpdate(GossipUpdate update)
        {
            if (++_seen == expected)
            {
                _done.TrySetResult();
            }
        }
    }
}
