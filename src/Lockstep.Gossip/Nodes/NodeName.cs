using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

/// <summary>The name of the node that a peer wants if several are offered: member <c>model</c> of its header's <c>meta</c>.</summary>
internal static class NodeName
{
    private const string Member = "model";

    public static string? In(GossipHeader header) => header.MetaText(Member);

    /// <summary>A stream's options, with the name of the wanted node.</summary>
    public static GossipStreamOptions Asking(GossipStreamOptions options, string name)
    {
        if (options.Meta is { ValueKind: not JsonValueKind.Object })
        {
            throw new ArgumentException("To name a model, the meta must be an object.", nameof(options));
        }

        var meta = options.Meta is { } given ? JsonObject.Create(given)! : [];
        meta[Member] = name;
        return options with { Meta = JsonSerializer.SerializeToElement(meta, MetaJson.Default.JsonObject) };
    }

    public static GossipException Unknown(string name) =>
        new($"No model named '{name}' is offered here.", "Name one that the listener offers.");
}
