using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Lockstep.Gossip;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Samples;

/// <summary>
/// Keys whose values go when they are too old. The newest wins; an object is merged into the object before it, field by field. Speaks with
/// npm's <c>expiry-model</c>. All members may be called from any thread.
/// </summary>
public sealed class ExpiryModel : GossipNode, IGossipValues
{
    private readonly Dictionary<string, List<GossipUpdate>> _values = new(StringComparer.Ordinal);
    private readonly TimeProvider _time;
    private readonly EventRetention _retention;

    /// <summary>A model that keeps what is set for a day, as npm's does, or for as long as is said.</summary>
    public ExpiryModel(GossipNodeOptions? options = null, EventRetention? retention = null)
        : base(options)
    {
        _time = Options.TimeProvider;
        _retention = retention is { MaxAge: not null }
            ? retention
            : (retention ?? new EventRetention()) with
            {
                MaxAge = TimeSpan.FromDays(1),
            };
        Retain(_retention);
        OpenFile("expiry-model");
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Keys => Read(() => _values.Keys.Where(key => TryGet(key, out var change) && !change.IsRemoved).ToArray());

    private double Oldest => (_time.GetUtcNow() - _retention.MaxAge!.Value - DateTimeOffset.UnixEpoch).TotalMilliseconds;

    /// <inheritdoc/>
    public bool TryGet(string key, [NotNullWhen(true)] out ModelChange? change)
    {
        change = Read(() =>
        {
            var oldest = Oldest;
            var live = _values.GetValueOrDefault(key, []).Where(update => update.Timestamp > oldest).ToArray();
            return live.Length == 0 ? null : new ModelChange(key, Merge(live), live[0]);
        });
        return change is not null;
    }

    /// <inheritdoc/>
    public GossipUpdate SetJson(string key, ReadOnlySpan<byte> json)
    {
        _ = Parse(json);
        var change = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(change))
        {
            writer.WriteStartArray();
            writer.WriteStringValue(key);
            writer.WriteRawValue(json, skipInputValidation: true);
            writer.WriteEndArray();
        }

        using var batch = Batch();
        return LocalUpdate(change.WrittenSpan, _values.TryGetValue(key, out var known) ? known[0].Timestamp : 0);
    }

    /// <summary>The keys that are set, each with what it has when it is looked at. That a key is too old is no change.</summary>
    public IAsyncEnumerable<ModelChange> WatchAsync(bool includeExisting = false, CancellationToken cancellationToken = default) =>
        WatchUpdatesAsync(includeExisting ? new GossipClock() : null, cancellationToken)
            .Where(static update => update.Misfit is null)
            .Select(update => TryGet(KeyOf(update), out var change) ? change : new ModelChange(KeyOf(update), ValueOf(update), update));

    /// <summary>A model in this process with the same id, kept equal at once.</summary>
    public ExpiryModel Clone() => AdoptClone(new ExpiryModel(CloneOptions, _retention));

    /// <inheritdoc/>
    protected override void Validate(ReadOnlySpan<byte> change)
    {
        var parsed = Parse(change);
        if (parsed.ValueKind != JsonValueKind.Array || parsed.GetArrayLength() < 2 || parsed[0].ValueKind != JsonValueKind.String)
        {
            throw new GossipProtocolException("An expiry model's change must be [\"key\",value].");
        }
    }

    /// <inheritdoc/>
    protected override bool Apply(GossipUpdate update)
    {
        if (update.Timestamp <= Oldest)
        {
            return false;
        }

        if (!_values.TryGetValue(KeyOf(update), out var known))
        {
            _values.Add(KeyOf(update), known = []);
        }

        var all = known.Append(update).OrderDescending(Comparer<GossipUpdate>.Create(static (a, b) => a.CompareTo(b))).ToList();
        var needed = Needed(all);
        foreach (var old in known.Except(needed))
        {
            Drop(old);
        }

        known.Clear();
        known.AddRange(needed);
        if (!needed.Contains(update))
        {
            return false;
        }

        Keep(update);
        return true;
    }

    /// <inheritdoc/>
    protected override void OnForgotten(GossipUpdate update)
    {
        if (_values.TryGetValue(KeyOf(update), out var known) && known.Remove(update) && known.Count == 0)
        {
            _values.Remove(KeyOf(update));
        }
    }

    /// <summary>Of a key's updates, the newest first, those of which something is left.</summary>
    private static List<GossipUpdate> Needed(List<GossipUpdate> updates)
    {
        var needed = new List<GossipUpdate>();
        var fields = new HashSet<string>(StringComparer.Ordinal);
        foreach (var update in updates)
        {
            var value = ValueOf(update);
            if (value.ValueKind != JsonValueKind.Object)
            {
                // Also where nothing of it is left: what is older must not be merged when it comes after it.
                needed.Add(update);
                break;
            }

            var adds = value.EnumerateObject().Aggregate(false, (any, field) => fields.Add(field.Name) || any);
            if (adds || needed.Count == 0)
            {
                needed.Add(update);
            }
        }

        return needed;
    }

    private static JsonElement Merge(GossipUpdate[] updates)
    {
        var values = updates.Select(ValueOf).TakeWhile(static value => value.ValueKind == JsonValueKind.Object).ToArray();
        if (values.Length < 2)
        {
            return ValueOf(updates[0]);
        }

        var merged = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var field in values.SelectMany(static value => value.EnumerateObject()))
        {
            merged.TryAdd(field.Name, field.Value);
        }

        var text = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(text))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in merged)
            {
                writer.WritePropertyName(name);
                value.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        return Parse(text.WrittenSpan);
    }

    private static string KeyOf(GossipUpdate update) => update.GetChange()[0].GetString()!;

    private static JsonElement ValueOf(GossipUpdate update) => update.GetChange()[1];
}
