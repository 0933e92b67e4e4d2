using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>
/// Any number of nodes, any sequence of writes, deliveries, duplications, cuts, connections and passing of time, with each node's clock
/// running differently; then any connected topology. All nodes end equal.
/// </summary>
public sealed class ConvergenceProperties
{
    private const int MaxNodes = 5;
    private const int Runs = 300;

    [Fact]
    public void Models_that_end_up_connected_are_equal() =>
        Check(
            static options => new LockstepModel(options),
            static (node, step) =>
            {
                var key = "k" + (step.B % 4).ToString(CultureInfo.InvariantCulture);
                return step.C % 5 == 0 ? node.Remove(key) : node.Set(key, step.C);
            },
            static node =>
                node.ToDictionary()
                    .OrderBy(static pair => pair.Key, StringComparer.Ordinal)
                    .Select(static pair => pair.Key + "=" + pair.Value.GetRawText())
        );

    [Fact]
    public void Emitters_that_end_up_connected_have_every_event_once() =>
        Check(
            static options => new LockstepEmitter(options),
            static (node, step) => node.Emit("e" + (step.B % 3).ToString(CultureInfo.InvariantCulture), step.C),
            static node => node.GetHistory().Select(static update => update.ToString()),
            static (node, written) =>
                Assert.Equal(
                    written.Select(static update => update.ToString()).Order(StringComparer.Ordinal),
                    node.GetHistory().Select(static update => update.ToString()).Order(StringComparer.Ordinal)
                )
        );

    private static void Check<T>(
        Func<GossipNodeOptions, T> create,
        Func<T, Step, GossipUpdate> write,
        Func<T, IEnumerable<string>> view,
        Action<T, List<GossipUpdate>>? complete = null
    )
        where T : GossipNode
    {
        var step =
            from kind in Gen.Choose(0, 99)
            from a in Gen.Choose(0, 999)
            from b in Gen.Choose(0, 999)
            from c in Gen.Choose(0, 999)
            select new Step(kind, a, b, c);
        var steps = step.ListOf().Select(static list => list.ToArray());
        var scenarios =
            from nodes in Gen.Choose(2, MaxNodes)
            from all in steps.Resize(120)
            from topology in Gen.Choose(0, int.MaxValue)
            select new Scenario(nodes, all, topology);
        Prop.ForAll(Arb.From(scenarios, Shrink), scenario => Run(scenario, create, write, view, complete))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(Runs));
    }

    private static IEnumerable<Scenario> Shrink(Scenario scenario)
    {
        for (var size = scenario.Steps.Length / 2; size >= 1; size /= 2)
        {
            for (var start = 0; start + size <= scenario.Steps.Length; start += size)
            {
                yield return scenario with
                {
                    Steps = [.. scenario.Steps[..start], .. scenario.Steps[(start + size)..]],
                };
            }
        }
    }

    private static void Run<T>(
        Scenario scenario,
        Func<GossipNodeOptions, T> create,
        Func<T, Step, GossipUpdate> write,
        Func<T, IEnumerable<string>> view,
        Action<T, List<GossipUpdate>>? complete
    )
        where T : GossipNode
    {
        // Clocks that differ by up to a few seconds, and some not at all, so that equal timestamps of different sources occur.
        var clocks = Enumerable
            .Range(0, scenario.Nodes)
            .Select(static i => new ManualTimeProvider(new DateTimeOffset(2030, 1, 1, 0, 0, i / 2, TimeSpan.Zero)))
            .ToArray();
        var nodes = clocks
            .Select(
                (clock, i) => create(new GossipNodeOptions { Id = "node" + i.ToString(CultureInfo.InvariantCulture), TimeProvider = clock })
            )
            .ToArray();
        var links = new List<SimulatedLink>();
        var written = new List<GossipUpdate>();
        foreach (var step in scenario.Steps)
        {
            Take(step);
        }

        // Some of the links continue with whatever is in flight on them, and enough links are added to connect the whole.
        var random = new System.Random(scenario.Topology);
        var order = Enumerable.Range(0, nodes.Length).OrderBy(_ => random.Next()).ToArray();
        for (var i = 1; i < order.Length; i++)
        {
            links.Add(new SimulatedLink(nodes[order[i]], nodes[order[random.Next(i)]]));
        }

        while (links.Aggregate(false, static (any, link) => link.Settle() | any)) { }

        Assert.All(links, static link => Assert.Null(link.Failure));
        var expected = view(nodes[0]).ToArray();
        foreach (var node in nodes)
        {
            Assert.Equal(expected, view(node));
            Assert.Equal(
                nodes[0].GetHistory().Select(static update => update.ToString()),
                node.GetHistory().Select(static update => update.ToString())
            );
            complete?.Invoke(node, written);
        }

        void Take(Step step)
        {
            switch (step.Kind)
            {
                case < 35:
                    written.Add(write(nodes[step.A % nodes.Length], step));
                    break;
                case < 45 when step.A % nodes.Length != step.B % nodes.Length:
                    links.Add(new SimulatedLink(nodes[step.A % nodes.Length], nodes[step.B % nodes.Length]));
                    break;
                case < 60 when links.Count > 0:
                    links[step.A % links.Count].Produce(step.B % 2 == 0);
                    break;
                case < 80 when links.Count > 0:
                    links[step.A % links.Count].Deliver(step.B % 2 == 0, 1 + (step.C % 5));
                    break;
                case < 87 when links.Count > 0:
                    links[step.A % links.Count].Duplicate(step.B % 2 == 0);
                    break;
                case < 92 when links.Count > 0:
                    links[step.A % links.Count].Dispose();
                    links.RemoveAt(step.A % links.Count);
                    break;
                default:
                    clocks[step.A % clocks.Length].Advance(TimeSpan.FromMilliseconds(step.B % 3));
                    break;
            }
        }
    }

    internal sealed record Step(int Kind, int A, int B, int C);

    internal sealed record Scenario(int Nodes, Step[] Steps, int Topology)
    {
        public override string ToString() =>
            $"{Nodes} nodes, topology {Topology}:\n" + string.Join("\n", Steps.Select(static step => step.ToString()));
    }
}
