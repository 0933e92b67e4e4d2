using System.IO.Pipelines;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip.Tests;

/// <summary>Two ends of a duplex stream in memory. Disposing one ends the reading of the other.</summary>
internal static class StreamPair
{
    public static (Stream Left, Stream Right) Create()
    {
        var (toRight, toLeft) = (new Pipe(), new Pipe());
        return (
            new DuplexStream(toLeft.Reader.AsStream(), toRight.Writer.AsStream()),
            new DuplexStream(toRight.Reader.AsStream(), toLeft.Writer.AsStream())
        );
    }

    /// <summary>Attaches two nodes to each other.</summary>
    public static (GossipStream Left, GossipStream Right) Connect(
        GossipNode left,
        GossipNode right,
        GossipStreamOptions? leftOptions = null,
        GossipStreamOptions? rightOptions = null
    )
    {
        var (leftStream, rightStream) = Create();
        return (left.Attach(leftStream, leftOptions), right.Attach(rightStream, rightOptions));
    }
}
