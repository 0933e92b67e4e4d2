using System.Buffers;
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
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = MaximumDepth };

    private readonly RecordShapeRequest _request;
    private readonly ArrayBufferWriter<byte> _encodedKey = new();
    private readonly ArrayBufferWriter<byte> _orderText = new();
    private byte[][] _keyNames = [];
    private KeyPart[] _keyValues = [];
    private byte[] _orderName = [];
    private KeyPartKind[] _keyKinds = [];
    private OrderKind _observedOrder;

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

    /// <summary>Objects may be nested as deep as this; one that is deeper is malformed.</summary>
    public const int MaximumDepth = 64;

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

    /// <summary>The order value when it is a number of 64 bits, which <see cref="OrderText"/> being empty says.</summary>
    public long IntegerOrder { get; private set; }

    /// <summary>The order value's text otherwise: a number's as it was sent, or a string's without escapes.</summary>
    public ReadOnlySpan<byte> OrderText => _orderText.WrittenSpan;

    /// <summary>Whether <see cref="OrderText"/> holds the value.</summary>
    public bool OrderIsText { get; private set; }

    /// <summary>The transaction's id, in the transaction dialect.</summary>
    public long? TransactionId { get; private set; }

    /// <summary>Where the record's own bytes begin in the object, and how many they are.</summary>
    public (int Start, int Length) Body { get; private set; }

    /// <summary>The cursor that a control row carries, if it does.</summary>
    public Cursor? ControlCursor { get; private set; }

    /// <summary>Why the object is malformed.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Reads one object, from brace to brace.</summary>
    public ParsedKind Parse(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json)) return Malformed("it is not valid UTF-8");
        try
        {
            if (Shape is null)
            {
                ParsedKind kind = Detect(json);
                if (kind != ParsedKind.Record) return kind;
            }

            return Shape!.Dialect == Dialect.Transaction ? ParseEnvelope(json) : ParseRecord(json);
        }
        catch (JsonException e)
        {
            return Malformed("it is not valid JSON: " + e.Message.TrimEnd('.'));
        }
        catch (InvalidOperationException)
        {
            // Utf8JsonReader's way to say that an escaped string has half a surrogate pair; only keys and order values are unescaped.
            return Malformed("its key or order field holds a string that is not valid Unicode");
        }
    }

    /// <summary>Reads the key alone from a record's own fields, as a rewritten record has them. False with <see cref="Reason"/>.</summary>
    public bool TryReadKey(ReadOnlySpan<byte> json)
    {
        Reset();
        if (!Utf8.IsValid(json) || json.IsEmpty || json[0] != (byte)'{') return Refuse("it is no JSON object");
        try
        {
            var reader = new Utf8JsonReader(json, Strict);
            reader.Read();
            ReadData(ref reader);
            if (!ReachedEnd(ref reader, json)) return Refuse("something follows its closing brace");
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
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Refuse("it is not valid JSON: " + e.Message);
        }
    }

    private ParsedKind ParseRecord(ReadOnlySpan<byte> json)
    {
        Reset();
        var reader = new Utf8JsonReader(json, Strict);
        reader.Read();
        bool hasOrder = false;
        Fields.BeginRecord();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = NameOf(ref reader);
            Fields.Note(name);
            int key = KeyIndex(name);
            bool isOrder = name.SequenceEqual(_orderName);
            bool isDeletedAt = name.SequenceEqual(WireNames.DeletedAt);
            reader.Read();
            if (key >= 0) _keyValues[key] = KeyPart.From(ref reader);
            if (isOrder) hasOrder = ReadOrder(ref reader);
            if (isDeletedAt) IsDeleted = reader.TokenType is not (JsonTokenType.Null or JsonTokenType.False);
            reader.Skip();
        }

        if (!ReachedEnd(ref reader, json)) return Malformed("something follows its closing brace");
        Body = (0, json.Length);
        if (MissingKey() is { } missing) return ControlOr(json, missing);
        if (!hasOrder) return ControlOr(json, $"it has no '{Shape!.OrderField}', its order field");
        return Finish(json);
    }

    private ParsedKind ParseEnvelope(ReadOnlySpan<byte> json)
    {
        Reset();
        var reader = new Utf8JsonReader(json, Strict);
        reader.Read();
        bool hasOrder = false, hasData = false;
        long? horizon = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = NameOf(ref reader);
            bool isData = name.SequenceEqual(WireNames.Data), isSince = name.SequenceEqual(WireNames.Since);
            bool isTransaction = name.SequenceEqual(WireNames.TransactionId), isDeleted = name.SequenceEqual(WireNames.Deleted);
            bool isHorizon = name.SequenceEqual("current_xmin"u8);
            reader.Read();
            if (isTransaction) TransactionId = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long id) ? id : null;
            if (isHorizon) horizon = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long xmin) ? xmin : null;
            if (isDeleted) IsDeleted = reader.TokenType == JsonTokenType.True;
            if (isSince) hasOrder = ReadOrder(ref reader);
            if (isData && reader.TokenType == JsonTokenType.StartObject)
            {
                hasData = true;
                int start = (int)reader.TokenStartIndex;
                ReadData(ref reader);
                Body = (start, (int)reader.BytesConsumed - start);
            }
            else
            {
                reader.Skip();
            }
        }

        if (!ReachedEnd(ref reader, json)) return Malformed("something follows its closing brace");
        if (TransactionId is not { } transaction || !hasData) return ControlOr(json, "it has no integer 'txid' and no object 'data', which every row of the transaction dialect has");
        if (!hasOrder)
        {
            // What a server leaves out follows from the rest: since is the smaller of the two.
            IntegerOrder = Math.Min(transaction, horizon ?? transaction);
        }

        return MissingKey() is { } missing ? Malformed(missing) : Finish(json);
    }

    private void ReadData(ref Utf8JsonReader reader)
    {
        // A repeated 'data' replaces the one before, as a repeated name does everywhere.
        Array.Clear(_keyValues);
        Fields.BeginRecord();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = NameOf(ref reader);
            Fields.Note(name);
            int key = KeyIndex(name);
            reader.Read();
            if (key >= 0) _keyValues[key] = KeyPart.From(ref reader);
            reader.Skip();
        }
    }

    private bool ReadOrder(ref Utf8JsonReader reader)
    {
        _orderText.ResetWrittenCount();
        OrderIsText = false;
        if (reader.TokenType == JsonTokenType.Number)
        {
            _observedOrder = OrderKind.Number;
            if (reader.TryGetInt64(out long integer) || DecimalText.TryGetInt64(reader.ValueSpan, out integer))
            {
                IntegerOrder = integer;
                return true;
            }

            OrderIsText = true;
            _orderText.Write(reader.ValueSpan);
            return true;
        }

        _observedOrder = reader.TokenType == JsonTokenType.String ? OrderKind.Text : OrderKind.Unknown;
        if (_observedOrder == OrderKind.Unknown) return false;
        OrderIsText = true;
        _orderText.Advance(reader.CopyString(_orderText.GetSpan(reader.ValueSpan.Length + 1)));
        return true;
    }

    /// <summary>The key and the order are of the types that the table has, or this record is malformed (I3).</summary>
    private ParsedKind Finish(ReadOnlySpan<byte> json)
    {
        RecordShape shape = Shape!;
        if (_observedOrder == OrderKind.Unknown) _observedOrder = OrderKind.Number;
        if (shape.OrderKind == OrderKind.Unknown) Shape = shape = shape with { OrderKind = _observedOrder };
        if (shape.OrderKind != _observedOrder)
        {
            return Malformed($"its order field '{shape.OrderField}' is a {Describe(_observedOrder)}, while this table's are {Describe(shape.OrderKind)}s");
        }

        for (int i = 0; i < _keyValues.Length; i++)
        {
            if (_keyKinds[i] == default) _keyKinds[i] = _keyValues[i].Kind;
            if (_keyKinds[i] != _keyValues[i].Kind)
            {
                return Malformed($"its key field '{shape.KeyFields[i]}' is a {Describe(_keyValues[i].Kind)}, while this table's are {Describe(_keyKinds[i])}s");
            }
        }

        if (shape.KeyParts.Count == 0) Shape = shape = shape with { KeyParts = [.. _keyKinds], KeyLayout = FirstLayout(json) };
        if (shape.KeyLayout == KeyLayout.Integer)
        {
            if (_keyValues[0].TryGetInteger(json, out long integer))
            {
                IntegerKey = integer;
                return ParsedKind.Record;
            }

            // A number beyond 64 bits or with a fraction: from here on the table holds encoded keys.
            Shape = shape with { KeyLayout = KeyLayout.Encoded };
        }

        EncodeKey(json);
        return ParsedKind.Record;
    }

    private KeyLayout FirstLayout(ReadOnlySpan<byte> json) =>
        _keyValues.Length == 1 && _keyValues[0].TryGetInteger(json, out _) ? KeyLayout.Integer : KeyLayout.Encoded;

    private void EncodeKey(ReadOnlySpan<byte> json)
    {
        _encodedKey.ResetWrittenCount();
        foreach (KeyPart part in _keyValues) part.Encode(json, _encodedKey);
    }

    private ParsedKind ControlOr(ReadOnlySpan<byte> json, string reason)
    {
        ParsedKind kind = ReadControl(json);
        return kind == ParsedKind.Malformed ? Malformed(reason) : kind;
    }

    /// <summary>A heartbeat has exactly the one member; a control row has <c>control</c> true and a <c>type</c>.</summary>
    private ParsedKind ReadControl(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, Strict);
        reader.Read();
        int members = 0;
        bool heartbeat = false, control = false, snapshot = false, beat = false, typed = false;
        ControlCursor = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            members++;
            bool isHeartbeat = reader.ValueTextEquals(WireNames.Heartbeat), isControl = reader.ValueTextEquals(WireNames.Control);
            bool isType = reader.ValueTextEquals(WireNames.ControlType), isSince = reader.ValueTextEquals(WireNames.Since);
            reader.Read();
            if (isHeartbeat) heartbeat = reader.TokenType == JsonTokenType.True;
            if (isControl) control = reader.TokenType == JsonTokenType.True;
            if (isType && reader.TokenType == JsonTokenType.String)
            {
                typed = true;
                snapshot = reader.ValueTextEquals(WireNames.SnapshotCompleted);
                beat = reader.ValueTextEquals(WireNames.Heartbeat);
            }

            if (isSince) ControlCursor = ReadCursor(ref reader);
            reader.Skip();
        }

        if (heartbeat && members == 1) return ParsedKind.Heartbeat;
        if (!control || !typed) return ParsedKind.Malformed;
        return snapshot ? ParsedKind.SnapshotCompleted : beat ? ParsedKind.Heartbeat : ParsedKind.OtherControl;
    }

    private static Cursor? ReadCursor(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Number => Cursor.Parse(Encoding.ASCII.GetString(reader.ValueSpan)),
        JsonTokenType.String => Cursor.Parse(reader.GetString()),
        _ => null,
    };

    /// <summary>Decides the shape by the first object that is neither a heartbeat nor a control row.</summary>
    private ParsedKind Detect(ReadOnlySpan<byte> json)
    {
        FirstRecord first = FirstRecord.Read(json, Strict);
        ParsedKind control = ReadControl(json);
        bool isTransaction = first.HasTransactionId && first.DataFields is not null;
        if (control != ParsedKind.Malformed && !isTransaction && !first.HasField(_request.OrderField)) return control;

        Dialect dialect = _request.Dialect != Dialect.Auto ? _request.Dialect : isTransaction ? Dialect.Transaction : Dialect.Record;
        IReadOnlyList<string> fields = dialect == Dialect.Transaction ? first.DataFields ?? [] : first.Fields;
        IReadOnlyList<string>? keys = _request.KeyFields;
        if (keys is null)
        {
            if (fields.Count == 0) return Malformed(dialect == Dialect.Transaction ? "it has no object 'data' with a key field" : "it has no fields");
            KeyWasGuessed = !fields.Contains(WireNames.DefaultKeyField);
            keys = [KeyWasGuessed ? fields[0] : WireNames.DefaultKeyField];
        }

        RecordShape? before = Shape;
        string order = dialect == Dialect.Transaction ? "since" : _request.OrderField;
        Adopt(new RecordShape(dialect, keys, [], KeyLayout.Integer, order, OrderKind.Unknown));
        ParsedKind kind = dialect == Dialect.Transaction ? ParseEnvelope(json) : ParseRecord(json);
        if (kind != ParsedKind.Record) Shape = before;
        return kind;
    }

    private void Adopt(RecordShape shape)
    {
        Shape = shape;
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
    }

    private int KeyIndex(ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < _keyNames.Length; i++)
        {
            if (name.SequenceEqual(_keyNames[i])) return i;
        }

        return -1;
    }

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

    private static bool ReachedEnd(ref Utf8JsonReader reader, ReadOnlySpan<byte> json) =>
        reader.TokenType == JsonTokenType.EndObject && reader.BytesConsumed == json.Length;

    private static ReadOnlySpan<byte> NameOf(ref Utf8JsonReader reader) =>
        reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;

    private static string Describe(OrderKind kind) => kind == OrderKind.Number ? "number" : "string";

    private static string Describe(KeyPartKind kind) => kind == KeyPartKind.Number ? "number" : "string";
}
