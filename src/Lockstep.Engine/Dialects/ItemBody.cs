using System.Buffers;
using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// The bytes of an item's record as they arrived, except for fields that the dialect adds or leaves out. Results are valid until the next
/// call. One thread at a time.
/// </summary>
/// <param name="key">The item's key, which is added to records that lack it.</param>
/// <param name="fields">The field names that the table already knows.</param>
internal sealed class ItemBody(ItemKey key, IEnumerable<string> fields)
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly List<int> _lacks = [];

    /// <summary>The names of the fields seen.</summary>
    public FieldCatalog Fields { get; } = new(fields);

    /// <summary>A list of changes that was left out; null if none has been so far.</summary>
    public string? Dropped { get; private set; }

    /// <summary>The record's bytes as they arrived, except for fields that are added or left out.</summary>
    /// <param name="rules">The rules to apply.</param>
    /// <param name="body">The record in the item; an object.</param>
    /// <param name="list">What the surrounding list says about its items; null for nothing.</param>
    /// <param name="isDeleted">Whether it is a deletion: its fields are the server's words, not the table's.</param>
    public ReadOnlySpan<byte> Read(DialectRules rules, JsonItem body, ListType? list, bool isDeleted)
    {
        Fields.BeginRecord();
        _lacks.Clear();
        for (var i = 0; i < rules.Key.Count; i++)
        {
            if (i < rules.ParentParts || Lacks(rules.Key[i], body))
                _lacks.Add(i);
        }

        var isWhole = true;
        for (var i = 0; i < body.Count; i++)
        {
            var name = body.Name(i);
            if (Drops(rules, name))
            {
                if (rules.Children is null && name.EndsWith("@delta"u8))
                    Dropped ??= Encoding.UTF8.GetString(name);
                isWhole = false;
            }
            else if (IsOfParent(rules, name))
            {
                isWhole = false;
            }
            else if (!isDeleted)
            {
                Fields.Note(name);
            }
        }

        var added = list is not null && rules.TypesItems && !body.Has("kind"u8) ? list : null;
        return isWhole && _lacks.Count == 0 && added is null ? body.Bytes.Span : Rebuild(rules, body, isWhole, added);
    }

    private ReadOnlySpan<byte> Rebuild(DialectRules rules, JsonItem body, bool isWhole, ListType? list)
    {
        _bytes.ResetWrittenCount();
        _bytes.Write("{"u8);
        if (list is not null)
        {
            Fields.Note("kind"u8);
            if (list.HasVersion)
                Fields.Note("apiVersion"u8);
            _bytes.Write(list.Members.Span);
        }

        foreach (var part in _lacks)
        {
            Separate();
            var rule = rules.Key[part];
            Fields.Note(rule.Name);
            _bytes.Write(rule.Member);
            _bytes.Write(key.PartText(part));
        }

        if (isWhole && body.Count > 0)
        {
            Separate();
            _bytes.Write(body.Members);
        }

        for (var i = 0; i < body.Count && !isWhole; i++)
        {
            if (Drops(rules, body.Name(i)) || IsOfParent(rules, body.Name(i)))
                continue;
            Separate();
            _bytes.Write(body.Text(i));
        }

        _bytes.Write("}"u8);
        return _bytes.WrittenSpan;
    }

    private void Separate()
    {
        if (_bytes.WrittenCount > 1)
            _bytes.Write(","u8);
    }

    private static bool Lacks(KeyRule key, JsonItem body) => (key.IsOfItem || key.Place.Kind == PlaceKind.Field) && !body.Has(key.Name);

    /// <summary>Whether a child has a field by the name that its parent's key gets: that one counts.</summary>
    private static bool IsOfParent(DialectRules rules, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < rules.ParentParts; i++)
        {
            if (name.SequenceEqual(rules.Key[i].Name))
                return true;
        }

        return false;
    }

    private static bool Drops(DialectRules rules, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < rules.Drop.Count; i++)
        {
            if (rules.Drop[i].Matches(name))
                return true;
        }

        return false;
    }
}
