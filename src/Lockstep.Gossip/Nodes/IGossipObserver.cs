using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// Notified of what happens to a node, in order, one call at a time, on whichever thread made it happen and outside the node's lock, so
/// that it may call the node. What it is told of has been applied and, if the node has a file, written. Return quickly: the stream that an
/// update came from waits. The stream is null for what did not come over one.
/// </summary>
public interface IGossipObserver
{
    /// <summary>A peer identified itself.</summary>
    void OnHeader(GossipStream? stream, GossipHeader header) { }

    /// <summary>Both sides of a stream have what the other had when it started.</summary>
    void OnSynced(GossipStream? stream) { }

    /// <summary>An update, local or a peer's, was applied.</summary>
    void OnUpdate(GossipUpdate update) { }

    /// <summary>A received update was already known.</summary>
    void OnOldData(GossipUpdate update) { }

    /// <summary>The data type cannot apply a received update, see <see cref="GossipUpdate.Misfit"/>: it is kept and passed on.</summary>
    void OnMisfit(GossipUpdate update) { }

    /// <summary>A peer sent something that does not belong to the protocol, wholly or in part; it was ignored.</summary>
    void OnIgnored(GossipStream? stream, string what) { }

    /// <summary>
    /// An update from a new source was refused, because the node already knows as many as it may: see
    /// <see cref="GossipNodeOptions.MaxSources"/>.
    /// </summary>
    void OnRefused(GossipUpdate update) { }

    /// <summary>An update's signature is missing, wrong or from an unknown key. Its source is held on that stream.</summary>
    void OnUnverified(GossipUpdate update) { }

    /// <summary>An update is stamped too far ahead. Its source is held on that stream until the update is due.</summary>
    void OnHeld(GossipUpdate update, DateTimeOffset due) { }

    /// <summary>
    /// A peer has forgotten events of a source that this node never got: those after <paramref name="from"/> up to
    /// <paramref name="horizon"/> (milliseconds since 1970).
    /// </summary>
    void OnGap(string source, double from, double horizon) { }

    /// <summary>
    /// A source's signed count shows that updates are missing: a peer withholds them, or another node's change replaced them before their
    /// source knew of it. Called again whenever more are missing. Other peers are asked for them.
    /// </summary>
    void OnMissing(GossipMissing missing) { }

    /// <summary>A stream was attached or has ended; this many are left.</summary>
    void OnStreamCount(int count) { }

    /// <summary>A clone was created or disposed; this many are left.</summary>
    void OnCloneCount(int count) { }

    /// <summary>A stream ended with an error. The node continues.</summary>
    void OnStreamFailed(GossipStream stream, Exception error) { }
}
