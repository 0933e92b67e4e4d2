using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Samples;

/// <summary>
/// One value that any node may set: the newest wins. Speaks with npm's <c>r-value</c>. All members may be called from any thread.
/// </summary>
public sealed class RValue : GossipNode, IGossipValues
{
    private GossipUpdate? _newest;

    /// <summary>A value that is not set or, where the options name a file, the one that it holds.</summary>
    public RValue(GossipNodeOptions? options = null)
        : base(options)
    {
        OpenFile("r-value");
    }

    /// <summary>The one key by which the value is read and set where there may be several.</summary>
    public const string Key = "value";

    /// <summary>The value, or null before there is one.</summary>
    public JsonElement? Value => Read(() => _newest?.GetChange());

    /// <inheritdoc/>
    public IReadOnlyList<string> Keys => TryGet(Key, out var change) && !change.IsRemoved ? [Key] : [];

    /// <summary>Sets it to a value that is JSON text already.</summary>
    public GossipUpdate SetJson(ReadOnlySpan<byte> json)
    {
        using var batch = Batch();
        return LocalUpdate(json, floor: _newest?.Timestamp ?? 0);
    }

    /// <inheritdoc/>
    public bool TryGet(string key, [NotNullWhen(true)] out ModelChange? change)
    {
        change = key == Key && Read(() => _newest) is { } newest ? ToChange(newest) : null;
        return change is not null;
    }

    /// <inheritdoc/>
    public GossipUpdate SetJson(string key, ReadOnlySpan<byte> json) =>
        key == Key ? SetJson(json) : throw new ArgumentException($"There is one value, and its key is '{Key}'.", nameof(key));

    /// <inheritdoc/>
    public IAsyncEnumerable<ModelChange> WatchAsync(bool includeExisting = false, CancellationToken cancellationToken = default) =>
        WatchUpdatesAsync(includeExisting ? new GossipClock() : null, cancellationToken).Select(ToChange);

    /// <summary>A value in this process with the same id, kept equal at once.</summary>
    public RValue Clone() => AdoptClone(new RValue(CloneOptions));

    /// <inheritdoc/>
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

    private static ModelChange ToChange(GossipUpdate update) => new(Key, update.GetChange(), update);
}
