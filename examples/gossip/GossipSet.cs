using System.Text.Json;
using Lockstep.Gossip;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Samples;

/// <summary>A set to which any node may add, and from which nothing is taken.</summary>
public sealed class GossipSet : GossipNode
{
    private readonly HashSet<string> _items = new(StringComparer.Ordinal);

    public GossipSet(GossipNodeOptions? options = null)
        : base(options)
    {
        OpenFile("set");
    }

    public IReadOnlyList<string> Items => Read(() => _items.ToArray());

    public void Add(string item) => LocalUpdate(JsonSerializer.SerializeToUtf8Bytes(item));

    public GossipSet Clone() => AdoptClone(new GossipSet(CloneOptions));

    protected override void Validate(ReadOnlySpan<byte> change)
    {
        if (change[0] != '"')
        {
            throw new GossipProtocolException("A set's change must be a string.");
        }
    }

    protected override bool Apply(GossipUpdate update)
    {
        if (!_items.Add(update.GetChange().GetString()!))
        {
            return false; // known from another source: nothing to keep, nothing to pass on
        }

        Keep(update);
        return true;
    }
}
