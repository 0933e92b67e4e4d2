using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;

namespace Lockstep.Engine.Records;

/// <summary>
/// Classifies an object of the feed (I7): a record, with its key and order, or a signal. <see cref="RoutingReader"/> finds the values that
/// route a record; this checks them against the table's shape, which the first record decides. What it yields is valid until the next call.
/// One thread at a time.
/// </summary>
internal sealed class RecordParser
{
    /// <summary>How deep objects may be nested; a deeper one is malformed.</summary>
    public const int MaximumDepth = 64;

    private static readonly JsonReaderOptions Strict = new() { MaxDepth = MaximumDepth };

    private RecordShapeRequest _request;
    private readonly RoutingReader _routing;
    private readonly KeyReader _key;
    private readonly OrderReader _order;

    /// <summary>Creates a parser that determines the shape from the first record.</summary>
    public RecordParser(RecordShapeRequest request)
        : this(request, new FieldCatalog([])) { }

    /// <summary>Creates a parser for a table with a known shape.</summary>
    public RecordParser(RecordShape shape, IEnumerable<string> knownFields)
        : this(new RecordShapeRequest(shape.Dialect, shape.KeyFields, shape.OrderField), new FieldCatalog(knownFields)) => Adopt(shape);

    private RecordParser(RecordShapeRequest request, FieldCatalog fields)
    {
        _request = request;
        Fields = fields;
        _routing = new RoutingReader(fields);
        _key = _routing.Key;
        _order = _routing.Order;
    }

    /// <summary>The shape, once the first record has determined it.</summary>
    public RecordShape? Shape { get; private set; }

    /// <summary>Whether the key field was chosen only because it came first, which deserves a warning.</summary>
    public bool KeyWasGuessed { get; private set; }

    /// <inheritdoc cref="RoutingReader.OddDeletion"/>
    public string? OddDeletion => _routing.OddDeletion;

    /// <summary>The names of the records' fields.</summary>
    public FieldCatalog Fields { get; }

    /// <summary>What the feed said, after <see cref="ParsedKind.Signal"/>.</summary>
    public FeedSignal Signal { get; private set; }

    /// <summary>Why the object is malformed.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Uses this key for the first record, if that is still to come.</summary>
    public void UseKey(IReadOnlyList<string> fields) => _request = _request with { KeyFields = fields };

    /// <summary>What to do if the first records are malformed because the order or key field is missing; null otherwise.</summary>
    public Remedy? Remedy { get; private set; }

    /// <summary>Reads one object, from brace to brace.</summary>
    /// <param name="json">The object's bytes.</param>
    /// <param name="record">The record, if it is one.</param>
    public ParsedKind Parse(ReadOnlySpan<byte> json, out RoutedRecord record)
    {
        var kind = Read(json);
        record = kind == ParsedKind.Record ? Route(json) : default;
        return kind;
    }

    private ParsedKind Read(ReadOnlySpan<byte> json)
    {
        Fields.BeginRecord();
        Remedy = null;
        if (!Utf8.IsValid(json))
            return Malformed("it is not valid UTF-8");
        try
        {
            if (Shape is null)
            {
                var check = new JsonScanner(json, MaximumDepth);
                if (!check.ReadValue(out _) || check.Position != json.Length)
                    return Malformed(ExplainJson(json));
                var kind = Detect(json);
                if (kind != ParsedKind.Record)
                    return kind;
            }

            if (!_routing.TryRead(json, out var length))
                return Malformed(ExplainJson(json));
            if (length != json.Length)
                return Malformed("something follows its closing brace");
            return TrySettle(json) ? ParsedKind.Record : ReadSignal(json) ?? Malformed(WhatIsWrong());
        }
        catch (InvalidOperationException)
        {
            // This is how Utf8JsonReader reports half a surrogate pair in an escaped string; only names, keys and order values are
            // unescaped.
            return Malformed("a field's name, its key or its order field is a string that is not valid Unicode");
        }
    }

    /// <summary>
    /// Reads a record from the start of bytes that may continue after it, in the same pass that finds its end. False for anything that is
    /// not clearly a complete record; frame that and pass it to <see cref="Parse"/>.
    /// </summary>
    /// <param name="bytes">Bytes that start with a brace.</param>
    /// <param name="length">The record's length in bytes, including the dialect's envelope.</param>
    /// <param name="record">The record.</param>
    [MethodImpl(HotCode.Options)]
    public bool TryParseRecord(ReadOnlySpan<byte> bytes, out int length, out RoutedRecord record)
    {
        if (TryRead(bytes, out length))
        {
            record = Route(bytes);
            return true;
        }

        record = default;
        return false;
    }

    /// <summary>
    /// Reads the values from which <see cref="Route"/> makes a record. A <see cref="RoutedRecord"/> is large: clearing it before filling it
    /// would be a tenth of the work.
    /// </summary>
    [MethodImpl(HotCode.Options)]
    private bool TryRead(ReadOnlySpan<byte> bytes, out int length)
    {
        length = 0;
        if (Shape is null)
            return false;
        try
        {
            return (_routing.TryReadByTemplate(bytes, out length) && IsRecord(bytes[..length])) || TryParseByGrammar(bytes, out length);
        }
        catch (InvalidOperationException)
        {
            // Parse will say why.
            return false;
        }
    }

    /// <summary>
    /// Reads only the key from a record's own fields, as a rewritten record has them. If false, <see cref="Reason"/> says why.
    /// </summary>
    /// <param name="json">The record.</param>
    /// <param name="record">Has the key and the record, and no order value.</param>
    public bool TryReadKey(ReadOnlySpan<byte> json, out RoutedRecord record)
    {
        record = default;
        Fields.BeginRecord();
        if (!Utf8.IsValid(json))
            return Refuse("it is not valid UTF-8");
        try
        {
            if (!_routing.TryReadKey(json))
                return Refuse("it is not a JSON object");
            if (_key.WhatIsMissing() is { } missing)
                return Refuse(missing);
            var layout = Shape!.KeyLayout;
            if (layout == KeyLayout.Integer && !_key.TryReadInteger(json))
                return Refuse("its key is no longer an integer");
            if (layout == KeyLayout.Encoded)
                _key.Encode(json);
            record = new RoutedRecord
            {
                KeyLayout = layout,
                IntegerKey = _key.Integer,
                EncodedKey = layout == KeyLayout.Encoded ? _key.Encoded : default,
                Json = json,
            };
            return true;
        }
        catch (InvalidOperationException)
        {
            return Refuse("a field name or its key is not valid Unicode");
        }
    }

    /// <summary>Reads the key of an otherwise malformed object.</summary>
    /// <param name="json">The object, or its beginning.</param>
    /// <returns>
    /// The key's bytes (<see cref="KeyEncoding"/>); null if it has no readable key that a record of the table could have.
    /// </returns>
    public byte[]? ReadKeyOfMalformed(ReadOnlySpan<byte> json)
    {
        if (Shape is null)
            return null;
        Fields.BeginRecord();
        try
        {
            // Whatever this returns, what it read before the fault is available.
            _ = _routing.TryRead(json, out _);
            if (!_key.HasKinds || !_key.IsSound || !_key.IsValidText(json))
                return null;
            _key.Encode(json);
            return _key.Encoded.ToArray();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
        finally
        {
            Fields.ForgetRecord();
        }
    }

    /// <summary>The record last read from the start of <paramref name="bytes"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private RoutedRecord Route(ReadOnlySpan<byte> bytes)
    {
        var layout = Shape!.KeyLayout;
        (var start, var length) = _routing.Body;
        return new RoutedRecord
        {
            KeyLayout = layout,
            IntegerKey = _key.Integer,
            EncodedKey = layout == KeyLayout.Encoded ? _key.Encoded : default,
            OrderKind = _order.Kind,
            OrderIsText = _order.IsText,
            IntegerOrder = _order.Integer,
            OrderText = _order.Text,
            IsDeleted = _routing.IsDeleted,
            TransactionId = _routing.TransactionId,
            Json = bytes.Slice(start, length),
        };
    }

    /// <summary>Reads a record in another form than earlier ones, perhaps with new names: they are kept only if it is a record.</summary>
    [MethodImpl(HotCode.Options)]
    private bool TryParseByGrammar(ReadOnlySpan<byte> bytes, out int length)
    {
        Fields.BeginRecord();
        var isRecord = false;
        try
        {
            isRecord = _routing.TryRead(bytes, out length) && IsRecord(bytes[..length]);
            if (isRecord)
                _routing.Learn(bytes[..length]);
            return isRecord;
        }
        finally
        {
            if (!isRecord)
                Fields.ForgetRecord();
        }
    }

    /// <summary>
    /// Whether what was read is a record of the table. The order of the checks matters: malformed input must leave no trace in the shape.
    /// </summary>
    private bool IsRecord(ReadOnlySpan<byte> json) => Utf8.IsValid(json) && TrySettle(json);

    /// <summary>
    /// Converts the key to the table's form. False if something is missing, or key or order has another type than the table's (I3), which
    /// the first record determines; <see cref="WhatIsWrong"/> gives the reason.
    /// </summary>
    [MethodImpl(HotCode.Options)]
    private bool TrySettle(ReadOnlySpan<byte> json)
    {
        var shape = Shape!;
        if (!_routing.IsSound || (shape.OrderKind != _order.Kind && shape.OrderKind != OrderKind.Unknown))
            return false;
        if (shape.OrderKind == OrderKind.Unknown || !_key.HasKinds)
            shape = LearnTypes(shape, json);
        if (shape.KeyLayout == KeyLayout.Integer)
        {
            if (_key.TryReadInteger(json))
                return true;

            // A number beyond 64 bits or with a fraction: from here on the table has encoded keys.
            Shape = shape with
            {
                KeyLayout = KeyLayout.Encoded,
            };
        }

        _key.Encode(json);
        return true;
    }

    private RecordShape LearnTypes(RecordShape shape, ReadOnlySpan<byte> json)
    {
        shape = shape with { OrderKind = _order.Kind };
        if (!_key.HasKinds)
        {
            shape = shape with
            {
                KeyParts = _key.LearnKinds(),
                KeyLayout = _key.TryReadInteger(json) ? KeyLayout.Integer : KeyLayout.Encoded,
            };
        }

        return Shape = shape;
    }

    /// <summary>Why what was read is not a record of the table.</summary>
    private string WhatIsWrong()
    {
        var shape = Shape!;
        return _routing.WhatIsMissing()
            ?? (
                shape.OrderKind != OrderKind.Unknown && shape.OrderKind != _order.Kind
                    ? $"its order field '{shape.OrderField}' is a {Describe(_order.Kind)}, while this table's are "
                        + $"{Describe(shape.OrderKind)}s"
                    : _key.WhatDiffers() ?? "it is not a record"
            );
    }

    /// <summary>Determines the shape from the first object that is neither a heartbeat nor a control row.</summary>
    private ParsedKind Detect(ReadOnlySpan<byte> json)
    {
        var first = FirstRecord.Read(json, Strict);
        if (!first.IsTransaction && !first.HasField(_request.OrderField) && ReadSignal(json) is { } signal)
            return signal;
        if (first.TellShape(_request, out var isKeyGuessed, out var reason) is not { } shape)
            return ReadSignal(json) ?? Malformed(reason!);

        Adopt(shape);
        bool isRecord = false,
            lacksKey = false;
        try
        {
            isRecord = _routing.TryRead(json, out _) && TrySettle(json);
            if (!isRecord)
                (reason, lacksKey) = (WhatIsWrong(), _key.WhatIsMissing() is not null);
        }
        finally
        {
            // Only a record decides: anything malformed leaves no trace.
            if (!isRecord)
                Shape = null;
        }

        // A control row may have the order field ('since' is that of the transaction dialect): an object that is not otherwise a record is
        // one.
        if ((!isRecord || isKeyGuessed) && !first.IsTransaction && ReadSignal(json) is { } said)
        {
            Shape = null;
            return said;
        }

        KeyWasGuessed = isKeyGuessed && isRecord;
        if (isRecord)
            return ParsedKind.Record;
        var missing = MissingField.Find(first, shape, lacksKey, _request.IsImport);
        Remedy = missing?.Remedy;
        return Malformed(missing is null ? reason! : $"{reason}; its fields are {missing.Fields}");
    }

    /// <summary>The kind of signal in an object that is not a record; null if the object is malformed.</summary>
    private ParsedKind? ReadSignal(ReadOnlySpan<byte> json)
    {
        if (FeedSignal.Read(json, Strict) is not { } signal)
            return null;
        Signal = signal;
        Fields.ForgetRecord();
        return ParsedKind.Signal;
    }

    private void Adopt(RecordShape shape)
    {
        Shape = shape;
        _routing.Adopt(shape);
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

    /// <summary>What a general reader reports about bytes that the scanner refused.</summary>
    private static string ExplainJson(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, Strict);
            while (reader.Read()) { }

            return "it is not valid JSON";
        }
        catch (JsonException e)
        {
            return "it is not valid JSON: " + JsonText.Explain(e);
        }
    }

    private static string Describe(OrderKind kind) => kind == OrderKind.Number ? "number" : "string";
}
