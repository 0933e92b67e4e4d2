using System.Buffers;
using System.Globalization;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Bench.Gossip;

/// <summary>
/// How long it takes until many nodes all agree when meetings fail: in each round every node meets another one at random, and a share of
/// the meetings is cut off in the middle, so that what is under way is lost. The links are simulated, the protocol is the real one: each
/// meeting is a stream of its own, with its header and its lines. Beside it the rounds that push and pull need in theory (Karp and others,
/// Randomized Rumor Spreading, 2000), where all meet at once; here the meetings of a round follow one another.
/// </summary>
internal static class LossRun
{
    private static readonly int[] Sizes = [10, 100, 1000];
    private static readonly double[] Losses = [0, 0.1, 0.3];

    public static void Run()
    {
        Console.WriteLine(
            "| nodes | meetings that break off | rounds until all agree | log3 n + ln ln n, over what goes well | bytes a "
                + "node | of which updates |"
        );
        Console.WriteLine("| --- | --- | --- | --- | --- | --- |");
        foreach (var nodes in Sizes)
        {
            foreach (var loss in Losses)
            {
                const int Trials = 5;
                var trials = Enumerable
                    .Range(0, Trials)
                    .Select(seed => Spread(nodes, loss, new Random(seed)))
                    .OrderBy(run => run.Rounds)
                    .ToArray();
                var middle = trials[Trials / 2];
                var theory = (Math.Log(nodes, 3) + Math.Log(Math.Log(nodes))) / (1 - loss);
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {nodes:N0} | {loss:P0} | {middle.Rounds} | {theory:0.0} | {middle.Bytes / nodes:N0} | "
                            + $"{middle.UpdateBytes / nodes:N0} |"
                    )
                );
            }
        }
    }

    /// <summary>One node sets a value; counts the rounds until every other node has it.</summary>
    private static (int Rounds, long Bytes, long UpdateBytes) Spread(int count, double loss, Random random)
    {
        var models = Enumerable.Range(0, count).Select(static _ => new LockstepModel()).ToArray();
        models[0].Set("key", new string('x', 100));
        long bytes = 0,
            updates = 0;
        for (var round = 1; ; round++)
        {
            foreach (var model in models)
            {
                var other = models[random.Next(count)];
                if (ReferenceEquals(model, other))
                    continue;
                var meeting = new Meeting(model, other);
                meeting.Run(breaksOff: random.NextDouble() < loss, random);
                bytes += meeting.Bytes;
                updates += meeting.UpdateBytes;
            }

            if (Array.TrueForAll(models, static model => model.TryGet("key", out _)))
                return (round, bytes, updates);
            if (round == 1000)
                throw new InvalidOperationException("The nodes do not come to agree.");
        }
    }

    /// <summary>Two nodes' sessions, whose lines this carries over by hand.</summary>
    private sealed class Meeting(GossipNode left, GossipNode right)
    {
        private readonly ArrayBufferWriter<byte> _wire = new();

        public long Bytes { get; private set; }

        public long UpdateBytes { get; private set; }

        public void Run(bool breaksOff, Random random)
        {
            var options = new GossipStreamOptions { Tail = false };
            GossipSession one = new(left, options),
                two = new(right, options);
            left.Register(one);
            right.Register(two);
            // A stream has few exchanges: hello, what the other lacks, and that this was all.
            var lasts = breaksOff ? random.Next(4) : int.MaxValue;
            while (lasts > 0 && (Carry(one, two, ref lasts) | Carry(two, one, ref lasts))) { }

            left.Unregister(one);
            right.Unregister(two);
        }

        private bool Carry(GossipSession from, GossipSession to, ref int lasts)
        {
            _wire.ResetWrittenCount();
            if (!from.Produce(_wire, out _))
                return false;
            Bytes += _wire.WrittenCount;
            foreach (var line in _wire.WrittenSpan.ToArray().AsSpan().Split((byte)'\n'))
            {
                var (start, length) = line.GetOffsetAndLength(_wire.WrittenCount);
                if (length > 0 && _wire.WrittenSpan[start] == (byte)'[')
                    UpdateBytes += length + 1;
            }

            // Lines cut off on their way are lost.
            if (--lasts <= 0)
                return true;
            to.Receive(_wire.WrittenSpan);
            return true;
        }
    }
}
