using System.Buffers;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Lockstep.Engine.Records;

/// <summary>What an object of the feed is.</summary>
internal enum ParsedKind
{
    Record,
    Heartbeat,
    SnapshotCompleted,
    OtherControl,
    Malformed,
}

/// <summary>
/// Reads from one JSON object what is needed to route it: key, order value, whether it is deleted, and which of its bytes are the
/// record. The results are this object's properties, valid until the next call. One thread at a time.
/// </summary>
internal sealed class RecordParser
{
    /// <summary>Objects may be nested as deep as this; one that is deeper is malformed.</summary>
    public const int MaximumDepth = 64;

    private static readonly JsonReaderOptions Strict = new() { MaxDepth = MaximumDepth };

    private readonly RecordShapeRequest _request;
    private readonly ArrayBufferWriter<byte> _encodedKey = new();
    private readonly ArrayBufferWriter<byte> _orderText = new();
    private readonly RecordTemplates _templates = new();
    private byte[][] _keyNames = [];
    private KeyPart[] _keyValues = [];
    private byte[] _orderName = [];
    private KeyPartKind[] _keyKinds = [];
    private OrderKind _observedOrder;
    private bool _hasData;

    /// <summary>Creates a parser that decides the shape by the first record.</summary>
    public RecordParser(RecordShapeRequest request)
    {
        _request = request;
        Fields = new FieldCatalog([]);
    }

    /// <summary>Creates a parser for a table whose shape is known.</summary>
    public RecordParser(RecordShape shape, IEnumerable<string> knownFields)
    {
        _request = new RecordShapeRequest(shape.Dialect, shape.KeyFields, shape.OrderField);
        Fields = new FieldCatalog(knownFields);
        Adopt(shape);
    }

    /// <summary>The shape, once the first record told it.</summary>
    public RecordShape? Shape { get; private set; }

    /// <summary>Whether the key field was taken because it came first, which deserves a warning.</summary>
    public bool KeyWasGuessed { get; private set; }

    /// <summary>The names of the records' fields.</summary>
    public FieldCatalog Fields { get; }

    public bool IsDeleted { get; private set; }

    /// <summary>The key, when the shape's layout is <see cref="KeyLayout.Integer"/>.</summary>
    public long IntegerKey { get; private set; }

    /// <summary>The key's bytes, when the layout is <see cref="KeyLayout.Encoded"/>.</summary>
    public ReadOnlySpan<byte> EncodedKey => _encodedKey.WrittenSpan;

    /// <summary>The order value when it is a number of 64 bits.</summary>
    public long IntegerOrder { get; private set; }

    /// <summary>Whether <see cref="OrderText"/> holds the order value.</summary>
    public bool OrderIsText { get; private set; }

    /// <summary>The order value's text otherwise: a number's as it was sent, or a string's without escapes.</summary>
    public ReadOnlySpan<byte> OrderText => _orderText.WrittenSpan;

    /// <summary>The transaction's id, in the transaction dialect.</summary>
    public long? TransactionId { get; private set; }

    /// <summary>Where the record's own bytes begin, and how many they are.</summary>
    public (int Start, int Length) Body { get; private set; }

    /// <summary>The cursor that a control row carries, if it does.</summary>
    public Cursor? ControlCursor { get; private set; }

    /// <summary>Whether the heartbeat was a control row, and not the heartbeat object.</summary>
    public bool IsControlRow { get; private set; }

    /// <summary>Why the object is malformed.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Reads one object, from brace to brace.</summary>
    public ParsedKind Parse(ReadOnlySpan<byte> json)
    {
        Fields.BeginRecord();
        if (!Utf8.IsValid(json)) return Malformed("it is not valid UTF-8");
        try
        {
            if (Shape is null)
            {
                var check = new JsonScanner(json, MaximumDepth);
                if (!check.ReadValue(out _) || check.Position != json.Length) return Malformed(ExplainJson(json));
                ParsedKind kind = Detect(json);
                if (kind != ParsedKind.Record) return kind;
            }

            ParsedKind parsed = Read(json, out int length, out string? reason);
            if (length != json.Length) return Malformed(length == 0 ? ExplainJson(json) : "something follows its closing brace");
            return parsed == ParsedKind.Malformed ? ControlOr(json, reason!) : parsed;
        }
        catch (InvalidOperationException)
        {
            // Utf8JsonReader's way to say that an escaped string has half a surrogate pair; only names, keys and order values are unescaped.
            return Malformed("a field's name, its key or its order field is a string that is not valid Unicode");
        }
    }

    /// <summary>
    /// Reads a record from the start of bytes that may go on behind it, in one pass with finding its end. False for whatever is not
    /// plainly a record and whole, which is then to be framed and looked at by <see cref="Parse"/>.
    /// </summary>
    /// <param name="bytes">Bytes that begin with a brace.</param>
    /// <param name="length">The record's length in bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryParseRecord(ReadOnlySpan<byte> bytes, out int length)
    {
        length = 0;
        if (Shape is null) return false;
        try
        {
            if (ReadByTemplate(bytes, out length) && Utf8.IsValid(bytes[..length])) return true;
            Fields.BeginRecord();
            if (Read(bytes, out length, out _) == ParsedKind.Record && Utf8.IsValid(bytes[..length]))
            {
                _templates.Learn(bytes[..length], Shape);
                return true;
            }
        }
        catch (InvalidOperationException)
        {
            // Framed, it gets its reason.
        }

        Fields.ForgetRecord();
        return false;
    }

    /// <summary>Reads the key alone from a record's own fields, as a rewritten record has them. False with <see cref="Reason"/>.</summary>
    public bool TryReadKey(ReadOnlySpan<byte> json)
    {
        Reset();
        Fields.BeginRecord();
        if (!Utf8.IsValid(json)) return Refuse("it is not valid UTF-8");
        try
        {
            var scan = new JsonScanner(json, MaximumDepth);
            if (!scan.Open() || !ReadFields(ref scan, json) || scan.Position != json.Length) return Refuse("it is no JSON object");
            if (MissingKey() is { } missing) return Refuse(missing);
            if (Shape!.KeyLayout == KeyLayout.Integer)
            {
                if (!_keyValues[0].TryGetInteger(json, out long integer)) return Refuse("its key is no longer an integer");
                IntegerKey = integer;
                return true;
            }

            EncodeKey(json);
            return true;
        }
        catch (InvalidOperationException)
        {
            return Refuse("a field name or its key is not valid Unicode");
        }
    }

    /// <summary>Reads a record that has the form of one before it; whatever else it may be is for <see cref="Read"/> to say.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool ReadByTemplate(ReadOnlySpan<byte> bytes, out int length)
    {
        if (!_templates.TryRead(bytes, out length, out (int Start, int Length) body, out ReadOnlySpan<RoutingValue> routing, out ReadOnlySpan<JsonSlice> found)) return false;
        Reset();
        long? horizon = null;
        for (int i = 0; i < routing.Length; i++)
        {
            ValueRoles roles = routing[i].Roles;
            JsonSlice value = found[i];
            if ((roles & ValueRoles.Key) != 0) _keyValues[routing[i].KeyIndex] = new KeyPart(value);
            if ((roles & ValueRoles.Order) != 0) ReadOrder(value, bytes);
            if ((roles & ValueRoles.DeletedAt) != 0) IsDeleted = IsTombstone(value);
            if ((roles & ValueRoles.Deleted) != 0) IsDeleted = value.Kind == JsonKind.True;
            if ((roles & ValueRoles.TransactionId) != 0) TransactionId = IntegerOf(value, bytes);
            if ((roles & ValueRoles.Horizon) != 0) horizon = IntegerOf(value, bytes);
        }

        _hasData = true;
        Body = body;
        if (Shape!.Dialect == Dialect.Transaction) DeriveOrder(horizon);
        return WhatIsMissing() is null && Finish(bytes, out _) == ParsedKind.Record;
    }

    /// <summary>Reads an object of the known shape. The length is 0 when it is no JSON, or not whole.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ParsedKind Read(ReadOnlySpan<byte> bytes, out int length, out string? reason)
    {
        length = 0;
        reason = null;
        Reset();
        var scan = new JsonScanner(bytes, MaximumDepth);
        bool isTransaction = Shape!.Dialect == Dialect.Transaction;
        if (!scan.Open() || !(isTransaction ? ReadEnvelope(ref scan, bytes) : ReadRecord(ref scan, bytes))) return ParsedKind.Malformed;

        length = scan.Position;
        if (!isTransaction) Body = (0, length);
        reason = WhatIsMissing();
        return reason is null ? Finish(bytes, out reason) : ParsedKind.Malformed;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool ReadRecord(ref JsonScanner scan, ReadOnlySpan<byte> bytes)
    {
        while (scan.NextName(out JsonSlice slice))
        {
            ReadOnlySpan<byte> name = NameOf(slice, bytes);
            Fields.Note(name);
            if (!scan.ReadValue(out JsonSlice value)) return false;
            NoteKey(name, value);
            if (name.SequenceEqual(_orderName)) ReadOrder(value, bytes);
            if (name.SequenceEqual(WireNames.DeletedAt)) IsDeleted = IsTombstone(value);
        }

        return scan.Status == ScanStatus.Ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool ReadEnvelope(ref JsonScanner scan, ReadOnlySpan<byte> bytes)
    {
        long? horizon = null;
        while (scan.NextName(out JsonSlice slice))
        {
            ReadOnlySpan<byte> name = NameOf(slice, bytes);
            if (name.SequenceEqual(WireNames.Data) && scan.Peek() == JsonKind.Object)
            {
                int start = scan.Position;
                // A repeated 'data' replaces the one before, as a repeated name does everywhere.
                Array.Clear(_keyValues);
                if (!scan.Open() || !ReadFields(ref scan, bytes)) return false;
                Body = (start, scan.Position - start);
                _hasData = true;
                continue;
            }

            if (!scan.ReadValue(out JsonSlice value)) return false;
            if (name.SequenceEqual(WireNames.TransactionId)) TransactionId = IntegerOf(value, bytes);
            else if (name.SequenceEqual(WireNames.Since)) ReadOrder(value, bytes);
            else if (name.SequenceEqual(WireNames.Deleted)) IsDeleted = value.Kind == JsonKind.True;
            else if (name.SequenceEqual(WireNames.Horizon)) horizon = IntegerOf(value, bytes);
        }

        DeriveOrder(horizon);
        return scan.Status == ScanStatus.Ok;
    }

    /// <summary>What a server leaves out follows from the rest: since is the smaller of the two.</summary>
    private void DeriveOrder(long? horizon)
    {
        if (_observedOrder != OrderKind.Unknown || TransactionId is not { } transaction) return;
        _observedOrder = OrderKind.Number;
        IntegerOrder = Math.Min(transaction, horizon ?? transaction);
    }

    /// <summary>The fields of the object just entered, of which only the key matters.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool ReadFields(ref JsonScanner scan, ReadOnlySpan<byte> bytes)
    {
        while (scan.NextName(out JsonSlice slice))
        {
            ReadOnlySpan<byte> name = NameOf(slice, bytes);
            Fields.Note(name);
            if (!scan.ReadValue(out JsonSlice value)) return false;
            NoteKey(name, value);
        }

        return scan.Status == ScanStatus.Ok;
    }

    private void NoteKey(ReadOnlySpan<byte> name, JsonSlice value)
    {
        for (int i = 0; i < _keyNames.Length; i++)
        {
            if (name.SequenceEqual(_keyNames[i])) _keyValues[i] = new KeyPart(value);
        }
    }

    private void ReadOrder(JsonSlice value, ReadOnlySpan<byte> bytes)
    {
        _orderText.ResetWrittenCount();
        OrderIsText = false;
        ReadOnlySpan<byte> text = value.Of(bytes);
        switch (value.Kind)
        {
            case JsonKind.Number:
                _observedOrder = OrderKind.Number;
                if (DecimalText.TryGetInt64(text, out long integer))
                {
                    IntegerOrder = integer;
                    return;
                }

                OrderIsText = true;
                _orderText.Write(text);
                return;
            case JsonKind.String:
                _observedOrder = OrderKind.Text;
                OrderIsText = true;
                _orderText.Write(value.IsEscaped ? KeyPart.Unescape(value, bytes) : text);
                return;
            default:
                _observedOrder = OrderKind.Unknown;
                return;
        }
    }

    /// <summary>The key and the order are of the types that the table has, or this record is malformed (I3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ParsedKind Finish(ReadOnlySpan<byte> bytes, out string? reason)
    {
        RecordShape shape = Shape!;
        reason = null;
        if (shape.OrderKind != OrderKind.Unknown && shape.OrderKind != _observedOrder)
        {
            reason = $"its order field '{shape.OrderField}' is a {Describe(_observedOrder)}, while this table's are {Describe(shape.OrderKind)}s";
            return ParsedKind.Malformed;
        }

        for (int i = 0; i < _keyValues.Length; i++)
        {
            if (_keyKinds[i] == default || _keyKinds[i] == _keyValues[i].Kind) continue;
            reason = $"its key field '{shape.KeyFields[i]}' is a {Describe(_keyValues[i].Kind)}, while this table's are {Describe(_keyKinds[i])}s";
            return ParsedKind.Malformed;
        }

        if (shape.OrderKind == OrderKind.Unknown) Shape = shape = shape with { OrderKind = _observedOrder };
        if (shape.KeyParts.Count == 0)
        {
            _keyKinds = [.. _keyValues.Select(part => part.Kind)];
            KeyLayout layout = _keyValues.Length == 1 && _keyValues[0].TryGetInteger(bytes, out _) ? KeyLayout.Integer : KeyLayout.Encoded;
            Shape = shape = shape with { KeyParts = [.. _keyKinds], KeyLayout = layout };
        }

        if (shape.KeyLayout == KeyLayout.Integer)
        {
            if (_keyValues[0].TryGetInteger(bytes, out long integer))
            {
                IntegerKey = integer;
                return ParsedKind.Record;
            }

            // A number beyond 64 bits or with a fraction: from here on the table holds encoded keys.
            Shape = shape with { KeyLayout = KeyLayout.Encoded };
        }

        EncodeKey(bytes);
        return ParsedKind.Record;
    }

    private void EncodeKey(ReadOnlySpan<byte> bytes)
    {
        _encodedKey.ResetWrittenCount();
        foreach (KeyPart part in _keyValues) part.Encode(bytes, _encodedKey);
    }

    private ParsedKind ControlOr(ReadOnlySpan<byte> json, string reason)
    {
        ControlRow row = ControlRow.Read(json, Strict);
        NoteControl(row);
        if (row.Kind == ParsedKind.Malformed) return Malformed(reason);
        Fields.ForgetRecord();
        return row.Kind;
    }

    private void NoteControl(ControlRow row)
    {
        ControlCursor = row.Cursor;
        IsControlRow = row.IsControl;
    }

    /// <summary>Decides the shape by the first object that is neither a heartbeat nor a control row.</summary>
    private ParsedKind Detect(ReadOnlySpan<byte> json)
    {
        FirstRecord first = FirstRecord.Read(json, Strict);
        bool isTransaction = first.HasTransactionId && first.DataFields is not null;
        if (!isTransaction && !first.HasField(_request.OrderField))
        {
            ControlRow row = ControlRow.Read(json, Strict);
            NoteControl(row);
            if (row.Kind != ParsedKind.Malformed) return row.Kind;
        }

        Dialect dialect = _request.Dialect != Dialect.Auto ? _request.Dialect : isTransaction ? Dialect.Transaction : Dialect.Record;
        IReadOnlyList<string> fields = dialect == Dialect.Transaction ? first.DataFields ?? [] : first.Fields;
        IReadOnlyList<string>? keys = _request.KeyFields;
        bool guessed = false;
        if (keys is null)
        {
            if (fields.Count == 0) return Malformed(dialect == Dialect.Transaction ? "it has no object 'data' with a key field" : "it has no fields");
            guessed = !fields.Contains(WireNames.DefaultKeyField);
            keys = [guessed ? fields[0] : WireNames.DefaultKeyField];
        }

        string order = dialect == Dialect.Transaction ? "since" : _request.OrderField;
        Adopt(new RecordShape(dialect, keys, [], KeyLayout.Integer, order, OrderKind.Unknown));
        ParsedKind kind = ParsedKind.Malformed;
        string? reason = null;
        try
        {
            kind = Read(json, out _, out reason);
        }
        finally
        {
            // Only a record decides: what is malformed, in whatever way, leaves no trace.
            if (kind != ParsedKind.Record) Shape = null;
        }

        KeyWasGuessed = guessed && kind == ParsedKind.Record;
        return kind == ParsedKind.Record ? kind : Malformed(reason ?? "it is no record");
    }

    private void Adopt(RecordShape shape)
    {
        Shape = shape;
        _templates.Clear();
        _keyNames = [.. shape.KeyFields.Select(Encoding.UTF8.GetBytes)];
        _keyValues = new KeyPart[_keyNames.Length];
        _keyKinds = shape.KeyParts.Count == _keyNames.Length ? [.. shape.KeyParts] : new KeyPartKind[_keyNames.Length];
        _orderName = Encoding.UTF8.GetBytes(shape.OrderField);
    }

    private void Reset()
    {
        Array.Clear(_keyValues);
        _orderText.ResetWrittenCount();
        _observedOrder = OrderKind.Unknown;
        OrderIsText = false;
        IntegerOrder = 0;
        IsDeleted = false;
        TransactionId = null;
        _hasData = false;
    }

    /// <summary>What is missing to know where the record belongs; null when nothing is.</summary>
    private string? WhatIsMissing()
    {
        if (Shape!.Dialect == Dialect.Transaction && (TransactionId is null || !_hasData))
        {
            return "it has no integer 'txid' and no object 'data', which every row of the transaction dialect has";
        }

        return MissingKey() ?? (_observedOrder == OrderKind.Unknown ? $"it has no number or string '{Shape.OrderField}', its order field" : null);
    }

    private static bool IsTombstone(JsonSlice deletedAt) => deletedAt.Kind is not (JsonKind.Null or JsonKind.False);

    private string? MissingKey()
    {
        for (int i = 0; i < _keyValues.Length; i++)
        {
            if (_keyValues[i].Kind == default) return $"it has no string or number '{Shape!.KeyFields[i]}', its key field";
        }

        return null;
    }

    private ParsedKind Malformed(string reason)
    {
        Reason = reason;
        Fields.ForgetRecord();
        return ParsedKind.Malformed;
    }

    private bool Refuse(string reason)
    {
        Malformed(reason);
        return false;
    }

    /// <summary>What a general reader has to say about bytes that the scanner refused.</summary>
    private static string ExplainJson(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, Strict);
            while (reader.Read())
            {
            }

            return "it is not valid JSON";
        }
        catch (JsonException e)
        {
            return "it is not valid JSON: " + e.Message.TrimEnd('.');
        }
    }

    private static long? IntegerOf(JsonSlice value, ReadOnlySpan<byte> bytes) =>
        value.Kind == JsonKind.Number && Utf8Parser.TryParse(value.Of(bytes), out long integer, out int used) && used == value.Length ? integer : null;

    private static ReadOnlySpan<byte> NameOf(JsonSlice name, ReadOnlySpan<byte> bytes) => name.IsEscaped ? KeyPart.Unescape(name, bytes) : name.Of(bytes);

    private static string Describe(OrderKind kind) => kind == OrderKind.Number ? "number" : "string";

    private static string Describe(KeyPartKind kind) => kind == KeyPartKind.Number ? "number" : "string";
}
