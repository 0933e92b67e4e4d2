using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Models;

/// <summary>
/// Several nodes by name as one, which has the streams, the file and the keys for all of them. Compatible with npm <c>scuttlebucket</c>.
/// The parts are used as usual: what is set in one goes out as the bucket's. A part may be a bucket. All members may be called from any
/// thread.
/// </summary>
/// <example>
/// <code>
/// var config = new LockstepModel();
/// var log = new LockstepEmitter();
/// await using var bucket = new GossipBucket(null, new() { ["config"] = config, ["log"] = log });
/// </code>
/// </example>
public sealed class GossipBucket : GossipNode
{
    private readonly Dictionary<string, GossipNode> _parts = new(StringComparer.Ordinal);

    /// <summary>A bucket of new nodes, which it owns, with the content of the options' file.</summary>
    /// <param name="options">How to create the bucket: id, file, keys.</param>
    /// <param name="parts">
    /// The parts by name: new ones without id, file, keys and streams. All nodes of the bucket must have the same parts, because npm's
    /// nodes close the stream at a part that they do not have.
    /// </param>
    /// <exception cref="ArgumentException">A part is in use, or has what only the bucket may have; a name is <c>__proto__</c>.</exception>
    /// <exception cref="GossipIdentityException">The id cannot be used.</exception>
    /// <exception cref="GossipStoreException">The file cannot be used.</exception>
    public GossipBucket(GossipNodeOptions? options, Dictionary<string, GossipNode> parts)
        : base(options)
    {
        ArgumentNullException.ThrowIfNull(parts);
        foreach (var (name, part) in parts)
        {
            if (name == GossipJson.ForbiddenName || !GossipJson.IsWellFormed(name))
            {
                throw new ArgumentException($"'{name}' is not allowed as the name of a part: choose another.", nameof(parts));
            }

            Join(name, part);
            _parts.Add(name, part);
        }

        var kinds = _parts.OrderBy(static part => part.Key, StringComparer.Ordinal).Select(static part => $"{part.Key}:{part.Value.Kind}");
        OpenFile($"bucket({string.Join(',', kinds)})");
        RenameParts();
    }

    /// <summary>A part.</summary>
    /// <exception cref="KeyNotFoundException">There is no part of that name.</exception>
    public GossipNode this[string name] => _parts[name];

    private protected override IEnumerable<GossipNode> Parts => _parts.Values;

    /// <inheritdoc/>
    protected override bool Apply(GossipUpdate update) => ApplyIn(PartOf(update.Change.Span, out var change)!, update, change);

    private protected override string? MisfitOf(ReadOnlySpan<byte> change, ChangeShape shape) =>
        shape.Count != 2 ? "A bucket's change must be [\"part\",change]."
        : PartOf(change, out var inner) is { } part ? MisfitIn(part, inner)
        : "The bucket has no such part.";

    /// <summary>The part to which a change belongs, and the change as that part sees it; null if there is no such part.</summary>
    private GossipNode? PartOf(ReadOnlySpan<byte> change, out ReadOnlySpan<byte> inner)
    {
        var reader = new Utf8JsonReader(change, GossipJson.ReaderOptions);
        reader.Read();
        reader.Read();
        var part = reader.TokenType == JsonTokenType.String ? _parts.GetValueOrDefault(GossipJson.ReadName(ref reader)) : null;
        reader.Skip();
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        inner = change[start..(int)reader.BytesConsumed];
        return part;
    }
}
