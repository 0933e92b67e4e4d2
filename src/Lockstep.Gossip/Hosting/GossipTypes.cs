using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Samples;

namespace Lockstep.Gossip.Hosting;

/// <summary>The data types that a program can host by name.</summary>
public static class GossipTypes
{
    private static readonly Dictionary<string, Func<GossipNodeOptions?, EventRetention?, GossipNode>> Makers = new(StringComparer.Ordinal)
    {
        ["model"] = static (options, _) => new LockstepModel(options),
        ["events"] = static (options, retention) => new LockstepEmitter(options, retention),
        ["r-value"] = static (options, _) => new RValue(options),
        ["crdt"] = static (options, _) => new CrdtDoc(options),
        ["expiry-model"] = static (options, retention) => new ExpiryModel(options, retention),
    };

    /// <summary>Their names, by which nodes identify themselves to files and peers.</summary>
    public static IReadOnlyCollection<string> Names => Makers.Keys;

    /// <summary>Creates a node.</summary>
    /// <param name="type">One of <see cref="Names"/>.</param>
    /// <param name="options">How to create it.</param>
    /// <param name="retention">How much of the past it keeps, if the type forgets at all.</param>
    /// <exception cref="ArgumentException">There is no such type.</exception>
    /// <exception cref="GossipIdentityException">The id cannot be used.</exception>
    /// <exception cref="GossipStoreException">The file cannot be used.</exception>
    public static GossipNode Create(string type, GossipNodeOptions? options = null, EventRetention? retention = null) =>
        Makers.TryGetValue(type, out var make)
            ? make(options, retention)
            : throw new ArgumentException($"There is no type '{type}': it is one of {string.Join(", ", Names)}.", nameof(type));
}
