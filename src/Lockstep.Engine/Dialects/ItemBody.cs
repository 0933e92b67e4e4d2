using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// The bytes of an item's record: those that came, except fields that the dialect adds or leaves out. What it yields is valid until the
/// next call. One thread at a time.
/// </summary>
/// <param name="key">The item's key, which is added to records that lack it.</param>
/// <param name="fields">The names of the records' fields that the table knows.</param>
internal sealed class ItemBody(ItemKey key, IEnumerable<string> fields)
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>The names of the fields that came.</summary>
    public FieldCatalog Fields { get; } = new(fields);

    /// <summary>A field that was left out; null when none has been so far.</summary>
    public string? Dropped { get; private set; }

    /// <summary>The record's bytes: those that came, except fields that are added or left out.</summary>
    /// <param name="rules">How.</param>
    /// <param name="body">The record in the item.</param>
    /// <param name="list">The document around it, from which the items of a list take missing fields; empty for none.</param>
    public ReadOnlySpan<byte> Read(DialectRules rules, JsonElement body, JsonElement list)
    {
        Fields.BeginRecord();
        var isWhole = true;
        List<KeyRule> lacks = [];
        foreach (var rule in rules.Key)
        {
            if (Lacks(rule, body))
                lacks.Add(rule);
        }

        foreach (var field in body.EnumerateObject())
        {
            if (rules.Drop.Count > 0 && Drops(rules, field))
            {
                Dropped ??= field.Name;
                isWhole = false;
                continue;
            }

            Note(field);
        }

        var adds = rules.TypesItems && list.ValueKind == JsonValueKind.Object && !body.TryGetProperty("kind", out _);
        if (isWhole && lacks.Count == 0 && !adds)
            return JsonMarshal.GetRawUtf8Value(body);
        return Rebuild(rules, body, lacks, adds ? list : default);
    }

    private ReadOnlySpan<byte> Rebuild(DialectRules rules, JsonElement body, List<KeyRule> lacks, JsonElement list)
    {
        _bytes.ResetWrittenCount();
        _bytes.Write("{"u8);
        if (list.ValueKind == JsonValueKind.Object)
            AddType(list);
        foreach (var lack in lacks)
        {
            Separate();
            Fields.Note(lack.Name);
            _bytes.Write(lack.Member);
            _bytes.Write(key.PartText(PartOf(rules, lack)));
        }

        foreach (var field in body.EnumerateObject())
        {
            if (rules.Drop.Count > 0 && Drops(rules, field))
                continue;
            Separate();
            _bytes.Write("\""u8);
            _bytes.Write(JsonMarshal.GetRawUtf8PropertyName(field));
            _bytes.Write("\":"u8);
            _bytes.Write(JsonMarshal.GetRawUtf8Value(field.Value));
        }

        _bytes.Write("}"u8);
        return _bytes.WrittenSpan;
    }

    /// <summary>What a Kubernetes list says about its items once, a watch says about each: the two must be the same record.</summary>
    private void AddType(JsonElement list)
    {
        var kind = list.TryGetProperty("kind", out var found) && found.ValueKind == JsonValueKind.String ? found.GetString()! : "";
        if (kind.EndsWith("List", StringComparison.Ordinal))
            kind = kind[..^4];
        if (kind.Length == 0)
            return;
        Fields.Note("kind"u8);
        _bytes.Write("\"kind\":"u8);
        _bytes.Write(JsonSerializer.SerializeToUtf8Bytes(kind, EngineJson.Default.String));
        if (!list.TryGetProperty("apiVersion", out var version))
            return;
        Fields.Note("apiVersion"u8);
        _bytes.Write(",\"apiVersion\":"u8);
        _bytes.Write(JsonMarshal.GetRawUtf8Value(version));
    }

    private static int PartOf(DialectRules rules, KeyRule key)
    {
        var part = 0;
        while (!ReferenceEquals(rules.Key[part], key))
            part++;
        return part;
    }

    private void Separate()
    {
        if (_bytes.WrittenCount > 1)
            _bytes.Write(","u8);
    }

    private void Note(JsonProperty field)
    {
        var name = JsonMarshal.GetRawUtf8PropertyName(field);
        Fields.Note(name.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(field.Name) : name);
    }

    private static bool Lacks(KeyRule key, JsonElement body) =>
        (key.IsOfItem || key.Place.Kind == PlaceKind.Field) && !body.TryGetProperty(key.Name, out _);

    private static bool Drops(DialectRules rules, JsonProperty field)
    {
        var raw = JsonMarshal.GetRawUtf8PropertyName(field);
        var name = raw.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(field.Name) : raw;
        foreach (var drop in rules.Drop)
        {
            if (drop.Matches(name))
                return true;
        }

        return false;
    }
}
