namespace Lockstep.Engine.Records;

/// <summary>
/// A record and where it belongs: what a parser of any dialect yields, and all that a table needs to know. It refers to the parsed bytes
/// and the parser's buffers, so it is valid until the parser reads on.
/// </summary>
internal readonly ref struct RoutedRecord
{
    /// <summary>Whether <see cref="IntegerKey"/> or <see cref="EncodedKey"/> is the key.</summary>
    public KeyLayout KeyLayout { get; init; }

    /// <summary>The key, if the layout is <see cref="KeyLayout.Integer"/>.</summary>
    public long IntegerKey { get; init; }

    /// <summary>The key's bytes (<see cref="KeyEncoding"/>), if the layout is <see cref="KeyLayout.Encoded"/>; else empty.</summary>
    public ReadOnlySpan<byte> EncodedKey { get; init; }

    /// <summary>The order value's type, the same for all records of a table (I3).</summary>
    public OrderKind OrderKind { get; init; }

    /// <summary>Whether <see cref="OrderText"/> holds the order value, and not <see cref="IntegerOrder"/>.</summary>
    public bool OrderIsText { get; init; }

    /// <summary>The order value if it is a 64-bit number.</summary>
    public long IntegerOrder { get; init; }

    /// <summary>The order value otherwise: a number's text as sent, or a string without escapes; else empty.</summary>
    public ReadOnlySpan<byte> OrderText { get; init; }

    /// <summary>Whether the record is a tombstone.</summary>
    public bool IsDeleted { get; init; }

    /// <summary>
    /// Whether it deletes all records whose keys begin with its own, which has fewer parts; only as <see cref="KeyLayout.Encoded"/>.
    /// </summary>
    public bool IsOfParent { get; init; }

    /// <summary>Whether its fields are merged into the stored record; only if arrival is the order.</summary>
    public bool IsPatch { get; init; }

    /// <summary>The transaction's id, in the transaction dialect.</summary>
    public long? TransactionId { get; init; }

    /// <summary>The record's own bytes: one JSON object.</summary>
    public ReadOnlySpan<byte> Json { get; init; }
}
