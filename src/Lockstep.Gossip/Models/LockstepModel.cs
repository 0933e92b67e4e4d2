using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Models;

/// <summary>One key's newest value.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">The value; a removed key has null.</param>
/// <param name="Update">The update that set it.</param>
public sealed record ModelChange(string Key, JsonElement Value, GossipUpdate Update)
{
    /// <summary>Whether the key was removed: its value is null.</summary>
    public bool IsRemoved => Value.ValueKind == JsonValueKind.Null;
}

/// <summary>
/// Keys and values; the newest timestamp wins per key, and on equal timestamps the greater source id. Compatible with npm
/// <c>scuttlebutt/model</c>. A key set to null is gone from the model's JSON view, but is still passed on. All members may be called from
/// any thread.
/// </summary>
public sealed class LockstepModel : GossipNode, IGossipValues
{
    private const string FileKind = "model";
    private readonly ModelTable _table = new();
    private readonly ArrayBufferWriter<byte> _change = new(256);

    /// <summary>An empty model or, if the options name a file, one with the file's contents.</summary>
    /// <exception cref="GossipIdentityException">The id cannot be used.</exception>
    /// <exception cref="GossipStoreException">The file cannot be used.</exception>
    public LockstepModel(GossipNodeOptions? options = null)
        : base(options)
    {
        OpenFile(FileKind);
    }

    /// <summary>The keys that have a value.</summary>
    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (Gate)
            {
                return [.. _table.Updates.Where(static update => !IsNull(update)).Select(KeyOf)];
            }
        }
    }

    /// <summary>The value of a key; null if it has none.</summary>
    public JsonElement? this[string key] => TryGet(key, out var change) && !change.IsRemoved ? change.Value : null;

    /// <summary>Finds a key's latest change, even if that removed it.</summary>
    public bool TryGet(string key, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out ModelChange? change)
    {
        GossipUpdate? update;
        lock (Gate)
        {
            update = _table.Find(key);
        }

        change = update is null ? null : ToChange(update);
        return change is not null;
    }

    /// <summary>Sets a key to a value that is serialised as JSON.</summary>
    /// <exception cref="ArgumentException">The key is <c>__proto__</c>.</exception>
    [RequiresUnreferencedCode("A trimmed program sets JSON: SetJson.")]
    [RequiresDynamicCode("A native program sets JSON: SetJson.")]
    public GossipUpdate Set<T>(string key, T value) => SetJson(key, JsonSerializer.SerializeToUtf8Bytes(value));

    /// <summary>Sets a key to a value that is already JSON text.</summary>
    /// <exception cref="ArgumentException">The key is <c>__proto__</c>.</exception>
    /// <exception cref="JsonException">The text is not one JSON value.</exception>
    /// <exception cref="GossipChangeException">The value is nested more than 510 deep, or the change is longer than
    /// <see cref="GossipNodeOptions.MaxUpdateBytes"/>.</exception>
    public GossipUpdate SetJson(string key, ReadOnlySpan<byte> json)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (key == GossipJson.ForbiddenName)
        {
            throw new ArgumentException("\"__proto__\" is refused as a key: choose another.", nameof(key));
        }

        using var batch = Batch();
        _change.ResetWrittenCount();
        _change.Write("["u8);
        JavaScriptString.Write(key, _change);
        _change.Write(","u8);
        WriteValue(json, _change);
        _change.Write("]"u8);
        return LocalUpdateOf(_change.WrittenSpan, _table.Find(key)?.Timestamp ?? double.NegativeInfinity);
    }

    /// <summary>Sets several keys at once, in one transaction if the model has a file.</summary>
    [RequiresUnreferencedCode("A trimmed program sets JSON: SetJson.")]
    [RequiresDynamicCode("A native program sets JSON: SetJson.")]
    public void SetAll<T>(IEnumerable<KeyValuePair<string, T>> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var batch = Batch();
        foreach (var (key, value) in values)
        {
            Set(key, value);
        }
    }

    /// <summary>Removes a key, by setting it to null.</summary>
    public GossipUpdate Remove(string key) => SetJson(key, "null"u8);

    /// <summary>The keys that have a value, with the value: a copy.</summary>
    public IReadOnlyDictionary<string, JsonElement> ToDictionary()
    {
        GossipUpdate[] updates;
        lock (Gate)
        {
            updates = [.. _table.Updates];
        }

        return updates
            .Select(ToChange)
            .Where(static change => !change.IsRemoved)
            .ToDictionary(static change => change.Key, static change => change.Value, StringComparer.Ordinal);
    }

    /// <summary>
    /// The changes from now on, or all existing ones followed by those, at the consumer's pace: a value that is replaced before the
    /// consumer reads it is left out, so that a slow consumer sees the newest and nothing piles up.
    /// </summary>
    public IAsyncEnumerable<ModelChange> WatchAsync(bool includeExisting = false, CancellationToken cancellationToken = default) =>
        WatchUpdatesAsync(includeExisting ? new GossipClock() : null, cancellationToken)
            .Where(static update => update.Misfit is null)
            .Select(ToChange);

    /// <summary>
    /// A model in this process with the same id and content, kept identical at once; each may have streams of its own. It has no file.
    /// Dispose it separately.
    /// </summary>
    public LockstepModel Clone() => AdoptClone(new LockstepModel(CloneOptions));

    /// <inheritdoc/>
    protected override bool Apply(GossipUpdate update)
    {
        ref var stored = ref _table.PlaceOf(update, out var isNew);
        if (!isNew)
        {
            if (update.CompareTo(stored) < 0)
            {
                return false;
            }

            Drop(stored);
            stored = update;
        }

        Keep(update);
        return true;
    }

    private protected override string? MisfitOf(ReadOnlySpan<byte> change, ChangeShape shape)
    {
        if (shape is { Count: > 0, StartsWithName: false })
        {
            throw new GossipProtocolException("\"__proto__\" is refused as a key.");
        }

        // npm's model also uses only the first two of more elements.
        return shape.Count >= 2 ? null : "A model's change must be [\"key\",value].";
    }

    private static Utf8JsonReader AtValue(ReadOnlySpan<byte> change, out string key)
    {
        var reader = new Utf8JsonReader(change, GossipJson.ReaderOptions);
        reader.Read();
        reader.Read();
        key = GossipJson.ReadName(ref reader);
        reader.Read();
        return reader;
    }

    private static bool IsNull(GossipUpdate update) => AtValue(update.Change.Span, out _).TokenType == JsonTokenType.Null;

    private static string KeyOf(GossipUpdate update)
    {
        AtValue(update.Change.Span, out var key);
        return key;
    }

    private static ModelChange ToChange(GossipUpdate update)
    {
        var reader = AtValue(update.Change.Span, out var key);
        return new ModelChange(key, JsonElement.ParseValue(ref reader), update);
    }
}
