using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>
/// Reads the values that route a record from its bytes, and the position of its own fields, in the pass that finds its end: by the form of
/// an earlier record if it has that form, otherwise by JSON's grammar. What the values mean for a table is not its concern. One thread at a
/// time.
/// </summary>
/// <param name="fields">Gets the names of the records' fields.</param>
internal sealed class RoutingReader(FieldCatalog fields)
{
    private readonly RecordTemplates _templates = new();

    /// <summary>Which dialect and which fields; types and layout, which a record may still change, are not used here.</summary>
    private RecordShape? _shape;
    private byte[] _orderName = [];
    private bool _isTransaction;
    private bool _hasData;
    private bool _isUnclear;

    /// <summary>The record's key.</summary>
    public KeyReader Key { get; } = new();

    /// <summary>The record's order value.</summary>
    public OrderReader Order { get; } = new();

    /// <summary>Whether the record is a tombstone.</summary>
    public bool IsDeleted { get; private set; }

    /// <summary>
    /// The first value of all records that marks a deletion, or none, in an odd way, in words; null if there was none.
    /// </summary>
    public string? OddDeletion { get; private set; }

    /// <summary>The transaction's id, in the transaction dialect.</summary>
    public long? TransactionId { get; private set; }

    /// <summary>Where the record's own bytes begin, and how many there are.</summary>
    public (int Start, int Length) Body { get; private set; }

    /// <summary>Whether nothing is missing to route the record, and the key has the types of those before.</summary>
    public bool IsSound =>
        Order.Kind != OrderKind.Unknown && Key.IsSound && !_isUnclear && (!_isTransaction || (TransactionId is not null && _hasData));

    /// <summary>Records have this dialect from now on, and these of their fields are read.</summary>
    public void Adopt(RecordShape shape)
    {
        _shape = shape;
        _templates.Clear();
        _orderName = Encoding.UTF8.GetBytes(shape.OrderField);
        _isTransaction = shape.Dialect == Dialect.Transaction;
        Key.Adopt(shape);
    }

    /// <summary>Reads a record that has the form of an earlier one. False if it has none of them, or is incomplete.</summary>
    /// <param name="bytes">Bytes that may go on after the record.</param>
    /// <param name="length">The record's length in bytes.</param>
    [MethodImpl(HotCode.Options)]
    public bool TryReadByTemplate(ReadOnlySpan<byte> bytes, out int length)
    {
        if (!_templates.TryRead(bytes, out length, out var body, out var routing, out var found))
            return false;
        Clear();
        long? horizon = null;
        for (var i = 0; i < routing.Length; i++)
        {
            var roles = routing[i].Roles;
            var value = found[i];
            if ((roles & ValueRoles.Key) != 0)
                Key.Note(routing[i].KeyIndex, value);
            if ((roles & ValueRoles.Order) != 0)
                Order.Read(value, bytes);
            if ((roles & ValueRoles.DeletedAt) != 0)
                NoteDeletedAt(value, bytes);
            if ((roles & ValueRoles.Deleted) != 0)
                NoteDeleted(value, bytes);
            if ((roles & ValueRoles.TransactionId) != 0)
                TransactionId = IntegerOf(value, bytes);
            if ((roles & ValueRoles.Horizon) != 0)
                horizon = IntegerOf(value, bytes);
        }

        _hasData = true;
        Body = body;
        if (_isTransaction)
            DeriveOrder(horizon);
        return true;
    }

    /// <summary>Remembers the form of the record just read, which was found to be valid.</summary>
    public void Learn(ReadOnlySpan<byte> record) => _templates.Learn(record, _shape!);

    /// <summary>Reads an object by JSON's grammar. False, with length 0, if it is not JSON or is incomplete.</summary>
    /// <inheritdoc cref="TryReadByTemplate" path="/param"/>
    [MethodImpl(HotCode.Options)]
    public bool TryRead(ReadOnlySpan<byte> bytes, out int length)
    {
        length = 0;
        Clear();
        var scan = new JsonScanner(bytes, RecordParser.MaximumDepth);
        if (!scan.Open() || !(_isTransaction ? ReadEnvelope(ref scan, bytes) : ReadFields(ref scan, bytes, isRecord: true)))
            return false;
        length = scan.Position;
        if (!_isTransaction)
            Body = (0, length);
        return true;
    }

    /// <summary>
    /// Reads the key alone, from an object with the record's own fields. False if it is not JSON, or something follows it.
    /// </summary>
    public bool TryReadKey(ReadOnlySpan<byte> json)
    {
        Clear();
        var scan = new JsonScanner(json, RecordParser.MaximumDepth);
        return scan.Open() && ReadFields(ref scan, json, isRecord: false) && scan.Position == json.Length;
    }

    /// <summary>What is missing to route the record; null if nothing is.</summary>
    public string? WhatIsMissing()
    {
        if (_isTransaction && (TransactionId is null || !_hasData))
            return "it has no integer 'txid' and no object 'data', which every row of the transaction dialect has";
        if (_isUnclear)
            return "its member 'deleted' is neither true nor false";
        return Key.WhatIsMissing()
            ?? (Order.Kind == OrderKind.Unknown ? $"it has no number or string '{_shape!.OrderField}', its order field" : null);
    }

    /// <summary>A row of the transaction dialect: everything that routes it except the key stands beside its fields.</summary>
    [MethodImpl(HotCode.Options)]
    private bool ReadEnvelope(ref JsonScanner scan, ReadOnlySpan<byte> bytes)
    {
        long? horizon = null;
        while (scan.NextName(out var slice))
        {
            var name = NameOf(slice, bytes);
            if (name.SequenceEqual(WireNames.Data) && scan.Peek() == JsonKind.Object)
            {
                var start = scan.Position;
                // A repeated 'data' replaces the one before, as a repeated name does everywhere.
                Key.Clear();
                if (!scan.Open() || !ReadFields(ref scan, bytes, isRecord: false))
                    return false;
                Body = (start, scan.Position - start);
                _hasData = true;
                continue;
            }

            if (!scan.ReadValue(out var value))
                return false;
            if (name.SequenceEqual(WireNames.TransactionId))
                TransactionId = IntegerOf(value, bytes);
            else if (name.SequenceEqual(WireNames.Since))
                Order.Read(value, bytes);
            else if (name.SequenceEqual(WireNames.Deleted))
                NoteDeleted(value, bytes);
            else if (name.SequenceEqual(WireNames.Horizon))
                horizon = IntegerOf(value, bytes);
        }

        DeriveOrder(horizon);
        return scan.Status == ScanStatus.Ok;
    }

    /// <summary>The fields of the object just entered.</summary>
    /// <param name="scan">Positioned after the object's brace.</param>
    /// <param name="bytes">What it scans.</param>
    /// <param name="isRecord">Whether the object routes itself by its fields; otherwise only the key matters.</param>
    [MethodImpl(HotCode.Options)]
    private bool ReadFields(ref JsonScanner scan, ReadOnlySpan<byte> bytes, bool isRecord)
    {
        while (scan.NextName(out var slice))
        {
            var name = NameOf(slice, bytes);
            fields.Note(name);
            if (!scan.ReadValue(out var value))
                return false;
            Key.Note(name, value);
            if (Key.IsNested)
                Key.NoteWithin(name, value, bytes);
            if (!isRecord)
                continue;
            if (name.SequenceEqual(_orderName))
                Order.Read(value, bytes);
            if (name.SequenceEqual(WireNames.DeletedAt))
                NoteDeletedAt(value, bytes);
        }

        return scan.Status == ScanStatus.Ok;
    }

    /// <summary>What a server leaves out follows from the rest: since is the smaller of the two.</summary>
    private void DeriveOrder(long? horizon)
    {
        if (TransactionId is { } transaction)
            Order.Derive(transaction, horizon);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Clear()
    {
        Key.Clear();
        Order.Clear();
        IsDeleted = false;
        TransactionId = null;
        _hasData = false;
        _isUnclear = false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void NoteDeletedAt(JsonSlice value, ReadOnlySpan<byte> bytes)
    {
        // Most records are alive, and say so in one way.
        if (value.Kind == JsonKind.Null)
            IsDeleted = false;
        else
            Note(DeletionMark.OfTime(value, bytes), "deleted_at", value, bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void NoteDeleted(JsonSlice value, ReadOnlySpan<byte> bytes)
    {
        if (value.Kind == JsonKind.False)
            (IsDeleted, _isUnclear) = (false, false);
        else
            Note(DeletionMark.OfFlag(value, bytes), "deleted", value, bytes);
    }

    private void Note(Deletion deletion, string field, JsonSlice value, ReadOnlySpan<byte> bytes)
    {
        IsDeleted = deletion is Deletion.Deleted or Deletion.OddlyDeleted;
        _isUnclear = deletion == Deletion.Unclear;
        if (deletion is Deletion.OddlyAlive or Deletion.OddlyDeleted)
            OddDeletion ??= DeletionMark.Describe(field, value, bytes, deletion);
    }

    private static long? IntegerOf(JsonSlice value, ReadOnlySpan<byte> bytes) =>
        value.Kind == JsonKind.Number && Utf8Parser.TryParse(value.Of(bytes), out long integer, out var used) && used == value.Length
            ? integer
            : null;

    private static ReadOnlySpan<byte> NameOf(JsonSlice name, ReadOnlySpan<byte> bytes) =>
        name.IsEscaped ? KeyPart.Unescape(name, bytes) : name.Of(bytes);
}
