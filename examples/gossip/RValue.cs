using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Samples;

/// <summary>One value that any node may set: the newest wins. Speaks with npm's <c>r-value</c>.</summary>
public sealed class RValue : GossipNode
{
    private GossipUpdate? _newest;

    public RValue(GossipNodeOptions? options = null)
        : base(options)
    {
        OpenFile("r-value");
    }

    /// <summary>The value, or null before there is one.</summary>
    public JsonElement? Value => Read(() => _newest?.GetChange());

    public void Set<T>(T value)
    {
        using var batch = Batch();
        LocalUpdate(JsonSerializer.SerializeToUtf8Bytes(value), floor: _newest?.Timestamp ?? 0);
    }

    public RValue Clone() => AdoptClone(new RValue(CloneOptions));

    protected override bool Apply(GossipUpdate update)
    {
        if (_newest is { } newest)
        {
            if (update.CompareTo(newest) < 0)
            {
                return false;
            }

            Drop(newest);
        }

        Keep(update);
        _newest = update;
        return true;
    }
}
