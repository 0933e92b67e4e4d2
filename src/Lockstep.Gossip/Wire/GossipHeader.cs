using System.Text.Json;
using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Wire;

/// <summary>What each side of a stream sends first: who it is and what it knows.</summary>
/// <param name="Id">The id of the node.</param>
/// <param name="Clock">What the node knew when the header was written.</param>
/// <param name="Meta">Whatever the node's owner wants its peers to know, or null.</param>
/// <param name="Horizon">For each source up to where the node has forgotten its events; null for a node that forgets nothing or does not
/// say.</param>
public sealed record GossipHeader(string Id, GossipClock Clock, JsonElement? Meta, GossipClock? Horizon)
{
    /// <summary>
    /// Above this size in bytes, a header's entries for sources that the node does not know are dropped. If the node gets to know one
    /// later, the peer is sent what it already has.
    /// </summary>
    internal const int LargeBytes = 65_536;

    internal bool IsLarge { get; init; }

    /// <summary>The header in the form kept while the stream is open.</summary>
    internal GossipHeader WithoutEntries() => this with { Clock = new GossipClock(), Horizon = Horizon is null ? null : new GossipClock() };

    /// <summary>A text that is a member of the meta; null if there is none.</summary>
    internal string? MetaText(string member) =>
        Meta is { ValueKind: JsonValueKind.Object } meta
        && meta.TryGetProperty(member, out var text)
        && text.ValueKind == JsonValueKind.String
            ? text.GetString()
            : null;
}
