using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Samples;

/// <summary>
/// Rows of columns: the newest wins per column, and a removal wins over all that is older in its row. Speaks with npm's <c>crdt</c>, whose
/// changes are <c>["row",{"column":value,...}]</c> and <c>["row",null]</c>. All members may be called from any thread.
/// </summary>
public sealed class CrdtDoc : GossipNode, IGossipValues
{
    private readonly Dictionary<string, Row> _rows = new(StringComparer.Ordinal);

    /// <summary>A document without rows or, where the options name a file, with those that it holds.</summary>
    public CrdtDoc(GossipNodeOptions? options = null)
        : base(options)
    {
        OpenFile("crdt");
    }

    /// <summary>The ids of the rows that have a column.</summary>
    public IReadOnlyList<string> Keys =>
        Read(() => _rows.Where(static row => row.Value.Columns.Count > 0).Select(static row => row.Key).ToArray());

    /// <summary>The columns of a row: a copy, empty where there is no such row.</summary>
    public IReadOnlyDictionary<string, JsonElement> this[string id] =>
        Read(() =>
            _rows.TryGetValue(id, out var row)
                ? row.Columns.ToDictionary(static c => c.Key, static c => c.Value.GetChange()[1].GetProperty(c.Key))
                : []
        );

    /// <summary>Finds a row: an object of its columns.</summary>
    public bool TryGet(string key, [NotNullWhen(true)] out ModelChange? change)
    {
        change = Read(() =>
            _rows.TryGetValue(key, out var row) && row.Latest is { } latest ? new ModelChange(key, ToJson(this[key]), latest) : null
        );
        return change is not null;
    }

    /// <summary>Sets the columns that the object has, and leaves the others; null removes the row.</summary>
    public GossipUpdate SetJson(string key, ReadOnlySpan<byte> json)
    {
        if (Parse(json).ValueKind is not (JsonValueKind.Object or JsonValueKind.Null))
        {
            throw new ArgumentException("A row is an object of columns, or null to remove it.", nameof(json));
        }

        var change = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(change))
        {
            writer.WriteStartArray();
            writer.WriteStringValue(key);
            writer.WriteRawValue(json, skipInputValidation: true);
            writer.WriteEndArray();
        }

        using var batch = Batch();
        return LocalUpdate(change.WrittenSpan, _rows.TryGetValue(key, out var row) ? row.Latest?.Timestamp ?? 0 : 0);
    }

    /// <summary>The rows that change, each as it is when it is looked at.</summary>
    public IAsyncEnumerable<ModelChange> WatchAsync(bool includeExisting = false, CancellationToken cancellationToken = default) =>
        WatchUpdatesAsync(includeExisting ? new GossipClock() : null, cancellationToken)
            .Select(update => TryGet(update.GetChange()[0].GetString()!, out var row) ? row : null!);

    /// <summary>A document in this process with the same id, kept equal at once.</summary>
    public CrdtDoc Clone() => AdoptClone(new CrdtDoc(CloneOptions));

    /// <inheritdoc/>
    protected override bool Apply(GossipUpdate update)
    {
        var change = update.GetChange();
        if (!IsChange(change))
        {
            return false; // as npm's crdt, whose history has nulls where a row was removed
        }

        var id = change[0].GetString()!;
        if (!_rows.TryGetValue(id, out var row))
        {
            _rows.Add(id, row = new Row());
        }

        var replaced = row.Take(update, change[1]);
        if (!row.Uses(update))
        {
            return false; // all of it is older than what is there
        }

        replaced.Where(old => !row.Uses(old)).ToList().ForEach(Drop);
        Keep(update);
        return true;
    }

    private static bool IsChange(JsonElement change) =>
        change.ValueKind == JsonValueKind.Array
        && change.GetArrayLength() == 2
        && change[0].ValueKind == JsonValueKind.String
        && change[1].ValueKind is JsonValueKind.Object or JsonValueKind.Null;

    private static JsonElement ToJson(IReadOnlyDictionary<string, JsonElement> columns)
    {
        var row = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(row))
        {
            if (columns.Count == 0)
            {
                writer.WriteNullValue();
            }
            else
            {
                writer.WriteStartObject();
                foreach (var (name, value) in columns)
                {
                    writer.WritePropertyName(name);
                    value.WriteTo(writer);
                }

                writer.WriteEndObject();
            }
        }

        return Parse(row.WrittenSpan);
    }

    private sealed class Row
    {
        private GossipUpdate? _removal;

        /// <summary>For each column the update that set it last.</summary>
        public Dictionary<string, GossipUpdate> Columns { get; } = new(StringComparer.Ordinal);

        public GossipUpdate? Latest => Columns.Values.Append(_removal).MaxBy(static update => update?.Timestamp ?? 0);

        public bool Uses(GossipUpdate update) => _removal == update || Columns.ContainsValue(update);

        /// <summary>Takes what is newer than what is there; gives the updates that lost something by it.</summary>
        public HashSet<GossipUpdate> Take(GossipUpdate update, JsonElement columns)
        {
            var replaced = new HashSet<GossipUpdate>();
            if (_removal is { } removal && update.CompareTo(removal) < 0)
            {
                return replaced;
            }

            if (columns.ValueKind == JsonValueKind.Null)
            {
                foreach (var (name, old) in Columns.Where(column => column.Value.CompareTo(update) < 0).ToArray())
                {
                    Columns.Remove(name);
                    replaced.Add(old);
                }

                if (_removal is not null)
                {
                    replaced.Add(_removal);
                }

                _removal = update;
                return replaced;
            }

            foreach (var column in columns.EnumerateObject())
            {
                if (!Columns.TryGetValue(column.Name, out var old) || old.CompareTo(update) < 0)
                {
                    Columns[column.Name] = update;
                    if (old is not null)
                    {
                        replaced.Add(old);
                    }
                }
            }

            return replaced;
        }
    }
}
