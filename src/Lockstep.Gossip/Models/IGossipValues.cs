using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Models;

/// <summary>
/// What a data type of keys and values offers to callers that know no more about it, such as the cmdlets and the command line. All members
/// may be called from any thread.
/// </summary>
public interface IGossipValues
{
    /// <summary>The keys that have a value.</summary>
    IReadOnlyList<string> Keys { get; }

    /// <summary>Finds a key's latest change, even if that removed it.</summary>
    bool TryGet(string key, [NotNullWhen(true)] out ModelChange? change);

    /// <summary>Sets a key to a value that is JSON text; null removes it.</summary>
    /// <exception cref="ArgumentException">The key is refused, or the value does not belong to the data type.</exception>
    /// <exception cref="JsonException">The text is not one JSON value.</exception>
    /// <exception cref="GossipChangeException">The change is longer, or nested deeper, than peers accept.</exception>
    GossipUpdate SetJson(string key, ReadOnlySpan<byte> json);

    /// <summary>Removes a key, by setting it to null.</summary>
    GossipUpdate Remove(string key) => SetJson(key, "null"u8);

    /// <summary>The changes from now on, or all existing ones followed by those, at the consumer's pace.</summary>
    IAsyncEnumerable<ModelChange> WatchAsync(bool includeExisting = false, CancellationToken cancellationToken = default);
}
