using System.Buffers;
using System.Text;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip.Tests;

/// <summary>
/// Two nodes' sessions and a wire between them that a test moves line by line, in any interleaving; nothing runs by itself.
/// </summary>
internal sealed class SimulatedLink : IDisposable
{
    private readonly End _left;
    private readonly End _right;

    public SimulatedLink(
        GossipNode left,
        GossipNode right,
        GossipStreamOptions? leftOptions = null,
        GossipStreamOptions? rightOptions = null
    )
    {
        _left = new End(left, leftOptions ?? new GossipStreamOptions());
        _right = new End(right, rightOptions ?? new GossipStreamOptions());
        Nodes = (left, right);
    }

    public (GossipNode Left, GossipNode Right) Nodes { get; }

    public Exception? Failure => _left.Failure ?? _right.Failure;

    public IReadOnlyList<string> SentByLeft => _left.Log;

    public IReadOnlyList<string> SentByRight => _right.Log;

    public bool LeftFinished => _left.Session.Finished;

    /// <summary>Makes one side write what it has to write now, onto the wire.</summary>
    public bool Produce(bool left) => (left ? _left : _right).Produce();

    /// <summary>Delivers up to this many lines that one side wrote.</summary>
    public int Deliver(bool fromLeft, int lines)
    {
        var (from, to) = fromLeft ? (_left, _right) : (_right, _left);
        var delivered = 0;
        while (delivered < lines && from.Wire.TryDequeue(out var line))
        {
            to.LastDelivered = line;
            to.Receive(line);
            delivered++;
        }

        return delivered;
    }

    /// <summary>Delivers the last line again, if it was an update.</summary>
    public void Duplicate(bool fromLeft)
    {
        var to = fromLeft ? _right : _left;
        if (to.LastDelivered?[0] == '[')
        {
            to.Receive(to.LastDelivered);
        }
    }

    /// <summary>Delivers everything until both sides have nothing more to say.</summary>
    public bool Settle()
    {
        var any = false;
        while (Produce(true) | Produce(false) | (Deliver(true, int.MaxValue) + Deliver(false, int.MaxValue) > 0))
        {
            any = true;
        }

        return any;
    }

    /// <summary>Cuts the wire: what is on it is lost.</summary>
    public void Dispose()
    {
        _left.Close();
        _right.Close();
    }

    private sealed class End
    {
        private readonly GossipNode _node;
        private readonly ArrayBufferWriter<byte> _output = new();

        public End(GossipNode node, GossipStreamOptions options)
        {
            _node = node;
            Session = new GossipSession(node, options) { Fail = error => Failure = error };
            node.Register(Session);
        }

        public GossipSession Session { get; }

        public Queue<string> Wire { get; } = new();

        public List<string> Log { get; } = [];

        public string? LastDelivered { get; set; }

        public Exception? Failure { get; private set; }

        public bool Produce()
        {
            _output.ResetWrittenCount();
            if (!Session.Produce(_output))
            {
                return false;
            }

            foreach (var line in Encoding.UTF8.GetString(_output.WrittenSpan).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                Wire.Enqueue(line);
                Log.Add(line);
            }

            return true;
        }

        public void Receive(string line) => Session.Receive(Encoding.UTF8.GetBytes(line + "\n"));

        public void Close() => _node.Unregister(Session);
    }
}

/// <summary>A peer that a test plays by hand: it sends what the test says, and keeps what the node sends.</summary>
internal sealed class ScriptedPeer : IDisposable
{
    private readonly GossipNode _node;
    private readonly GossipSession _session;
    private readonly ArrayBufferWriter<byte> _output = new();

    public ScriptedPeer(GossipNode node, GossipStreamOptions? options = null)
    {
        _node = node;
        _session = new GossipSession(node, options ?? new GossipStreamOptions()) { Fail = error => Failure = error };
        node.Register(_session);
    }

    public Exception? Failure { get; private set; }

    public GossipSession Session => _session;

    public void Says(params string[] lines) => _session.Receive(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n"))));

    public void SaysHello(string id = "peer", string clock = "{}") => Says($$"""{"id":"{{id}}","clock":{{clock}}}""");

    /// <summary>Everything that the node has to send now.</summary>
    public IReadOnlyList<string> Hears()
    {
        _output.ResetWrittenCount();
        while (_session.Produce(_output)) { }

        return Encoding.UTF8.GetString(_output.WrittenSpan).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>One batch of what the node has to send now.</summary>
    public IReadOnlyList<string> HearsOnce()
    {
        _output.ResetWrittenCount();
        _session.Produce(_output);
        return Encoding.UTF8.GetString(_output.WrittenSpan).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public void Dispose() => _node.Unregister(_session);
}

/// <summary>What a session has to send, in one piece.</summary>
internal static class SessionOutput
{
    public static bool Produce(this GossipSession session, ArrayBufferWriter<byte> output)
    {
        var any = session.Produce(output, out var large);
        if (large is not null)
        {
            var (before, after) = large.WriteAround();
            output.Write([.. before, .. large.Change.Span, .. after]);
        }

        return any;
    }
}
