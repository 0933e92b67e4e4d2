using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>
/// Reads the key of one record after another: collects its fields' values as they occur, checks them, and brings them into the form in
/// which a table holds keys. One thread at a time.
/// </summary>
internal sealed class KeyReader
{
    private readonly ArrayBufferWriter<byte> _encoded = new();
    private IReadOnlyList<string> _fields = [];
    private byte[][] _names = [];

    /// <summary>For each field, the names below the first that lead to its value; empty for a top-level field.</summary>
    private byte[][][] _below = [];
    private KeyPart[] _parts = [];
    private KeyPartKind[] _kinds = [];

    /// <summary>The key, after <see cref="TryReadInteger"/>.</summary>
    public long Integer { get; private set; }

    /// <summary>The key's bytes, after <see cref="Encode"/>.</summary>
    public ReadOnlySpan<byte> Encoded => _encoded.WrittenSpan;

    /// <summary>Whether the types of the key's fields are known; every key of a table must have them.</summary>
    public bool HasKinds { get; private set; }

    /// <summary>Whether each field of the key has a valid value, of the type that it has in the keys before.</summary>
    public bool IsSound
    {
        get
        {
            var kinds = _kinds;
            var parts = _parts;
            for (var i = 0; i < parts.Length; i++)
            {
                var kind = parts[i].Kind;
                if (kind == default || (kind != kinds[i] && HasKinds))
                    return false;
            }

            return true;
        }
    }

    /// <summary>Whether a part of the key is nested in an object of the record.</summary>
    public bool IsNested { get; private set; }

    /// <summary>Keys have this shape from now on. The first key determines their types if the shape does not.</summary>
    public void Adopt(RecordShape shape)
    {
        _fields = shape.KeyFields;
        byte[][][] paths = [.. shape.KeyFields.Select(field => FieldPath.Names(field).Select(Encoding.UTF8.GetBytes).ToArray())];
        _names = [.. paths.Select(path => path[0])];
        _below = [.. paths.Select(path => path[1..])];
        IsNested = paths.Any(path => path.Length > 1);
        _parts = new KeyPart[_names.Length];
        HasKinds = shape.KeyParts.Count == _names.Length;
        _kinds = HasKinds ? [.. shape.KeyParts] : new KeyPartKind[_names.Length];
    }

    /// <summary>Forgets the collected values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Clear() => _parts.AsSpan().Clear();

    /// <summary>Collects a field's value, if the field is part of the key. If a name occurs twice, the last value counts.</summary>
    /// <param name="name">The field's name, unescaped.</param>
    /// <param name="value">Its value.</param>
    public void Note(ReadOnlySpan<byte> name, JsonSlice value)
    {
        for (var i = 0; i < _names.Length; i++)
        {
            if (_below[i].Length == 0 && name.SequenceEqual(_names[i]))
                _parts[i] = new KeyPart(value);
        }
    }

    /// <summary>Collects nested parts of the key from within a field's value.</summary>
    /// <param name="name">The field's name, unescaped.</param>
    /// <param name="value">Its value.</param>
    /// <param name="bytes">What contains it; valid JSON.</param>
    public void NoteWithin(ReadOnlySpan<byte> name, JsonSlice value, ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < _names.Length; i++)
        {
            if (_below[i].Length > 0 && name.SequenceEqual(_names[i]))
                _parts[i] = Find(value, _below[i], bytes) is { } found ? new KeyPart(found) : default;
        }
    }

    /// <summary>The value that names lead to, through objects only.</summary>
    private static JsonSlice? Find(JsonSlice value, ReadOnlySpan<byte[]> path, ReadOnlySpan<byte> bytes)
    {
        if (path.IsEmpty)
            return value;
        if (value.Kind != JsonKind.Object)
            return null;
        JsonSlice? found = null;
        var scan = new JsonScanner(value.Of(bytes), RecordParser.MaximumDepth);
        scan.Open();
        while (scan.NextName(out var slice) && scan.ReadValue(out var member))
        {
            var inner = value.Of(bytes);
            var name = slice.IsEscaped ? KeyPart.Unescape(slice, inner) : slice.Of(inner);
            // If a name occurs twice, the last value counts.
            if (name.SequenceEqual(path[0]))
                found = Find(member with { Start = member.Start + value.Start }, path[1..], bytes);
        }

        return found;
    }

    /// <summary>Collects the value of the key's field with this index.</summary>
    public void Note(int index, JsonSlice value) => _parts[index] = new KeyPart(value);

    /// <summary>What the key lacks; null if it is complete.</summary>
    public string? WhatIsMissing()
    {
        var missing = Array.FindIndex(_parts, part => part.Kind == default);
        return missing < 0 ? null : $"it has no string or number '{_fields[missing]}', its key field";
    }

    /// <summary>Which field has another type than in the keys before; null if none has.</summary>
    public string? WhatDiffers()
    {
        for (var i = 0; i < _parts.Length; i++)
        {
            if (HasKinds && _kinds[i] != _parts[i].Kind)
                return $"its key field '{_fields[i]}' is a {Describe(_parts[i].Kind)}, while this table's are {Describe(_kinds[i])}s";
        }

        return null;
    }

    /// <summary>Fixes the types of the collected key for all keys that follow.</summary>
    public IReadOnlyList<KeyPartKind> LearnKinds()
    {
        HasKinds = true;
        return _kinds = [.. _parts.Select(part => part.Kind)];
    }

    /// <summary>Reads the key as one 64-bit number. False if it is not one.</summary>
    public bool TryReadInteger(ReadOnlySpan<byte> json)
    {
        if (_parts.Length != 1 || !_parts[0].TryGetInteger(json, out var integer))
            return false;
        Integer = integer;
        return true;
    }

    /// <summary>Whether the key's strings are valid UTF-8, if that is not known of the whole record.</summary>
    public bool IsValidText(ReadOnlySpan<byte> json)
    {
        foreach (var part in _parts)
        {
            if (!part.IsValidText(json))
                return false;
        }

        return true;
    }

    /// <summary>Writes the key, whatever its parts, as bytes.</summary>
    public void Encode(ReadOnlySpan<byte> json)
    {
        _encoded.ResetWrittenCount();
        foreach (var part in _parts)
            part.Encode(json, _encoded);
    }

    /// <summary>
    /// Writes the first parts of the key as bytes. False if they cannot begin a key of the table: none has come, or their types are others.
    /// </summary>
    public bool TryEncode(ReadOnlySpan<byte> json, int parts)
    {
        _encoded.ResetWrittenCount();
        for (var i = 0; i < parts; i++)
        {
            if (!HasKinds || _parts[i].Kind != _kinds[i])
                return false;
            _parts[i].Encode(json, _encoded);
        }

        return true;
    }

    private static string Describe(KeyPartKind kind) => kind == KeyPartKind.Number ? "number" : "string";
}
