using System.Buffers;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private GossipNode? _container;
    private string? _partName;

    /// <summary>
    /// The nodes of which this one is composed: they share its id, its lock and its batches, and have no streams of their own.
    /// </summary>
    private protected virtual IEnumerable<GossipNode> Parts => [];

    /// <summary>Makes a new node a part of this one, under a name.</summary>
    /// <exception cref="ArgumentException">The node has a file, keys or an id of its own, or is already in use.</exception>
    private protected void Join(string name, GossipNode part)
    {
        if (part.Options is not { Path: null, Security: null, Id: null } || part._container is not null || part.IsInUse)
        {
            throw new ArgumentException(
                $"The part '{name}' must be a new node without id, keys, file and streams of its own.",
                nameof(part)
            );
        }

        part._container = this;
        part._partName = name;
        part.TakeFamily(_family, Id);
    }

    /// <summary>Gives the parts the node's id, which may have come from its file.</summary>
    private protected void RenameParts()
    {
        foreach (var part in Parts)
        {
            part.TakeFamily(_family, Id);
        }
    }

    /// <summary>Applies the part of an update that concerns a part.</summary>
    /// <returns>Whether it had an effect.</returns>
    private protected static bool ApplyIn(GossipNode part, GossipUpdate whole, ReadOnlySpan<byte> change)
    {
        var before = part._history.Count;
        var update = new PartUpdate(whole, change.ToArray());
        part.CommitHere(update);
        return part._history.Contains(update) || part._history.Count != before;
    }

    /// <summary>Why a change does not fit a part; null if it does.</summary>
    private protected static string? MisfitIn(GossipNode part, ReadOnlySpan<byte> change) =>
        part.MisfitOf(change, GossipMessageParser.ShapeOf(change));

    /// <summary>The node that has the streams and the keys.</summary>
    private GossipNode Whole => _container?.Whole ?? this;

    private bool IsInUse => HistoryCount > 0 || StreamCount > 0 || _family.Members.Count > 1;

    private void TakeFamily(GossipFamily family, string id)
    {
        _family = family;
        Id = id;
        RenameParts();
    }

    private GossipUpdate LocalUpdateOfPart(string name, ReadOnlySpan<byte> change, double floor)
    {
        var whole = new ArrayBufferWriter<byte>(change.Length + name.Length + 8);
        whole.Write("["u8);
        JavaScriptString.Write(name, whole);
        whole.Write(","u8);
        whole.Write(change);
        whole.Write("]"u8);
        return LocalUpdateOf(whole.WrittenSpan, floor);
    }
}

/// <summary>An update of a composed node as seen by the part that it concerns.</summary>
internal sealed class PartUpdate(GossipUpdate whole, byte[] change) : GossipUpdate(change, whole.Timestamp, whole.Source, null)
{
    public GossipUpdate Whole => whole;
}
