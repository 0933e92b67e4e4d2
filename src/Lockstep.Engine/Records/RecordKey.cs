namespace Lockstep.Engine.Records;

/// <summary>
/// The key of a record: one part per key field, in the order of the fields. A part is a <see cref="long"/>, a <see cref="string"/>,
/// or, for a number beyond 64 bits or with a fraction, an <see cref="OrderValue"/> that holds its exact text. Immutable.
/// </summary>
public readonly struct RecordKey : IEquatable<RecordKey>
{
    private readonly object[]? _parts;

    internal RecordKey(params object[] parts) => _parts = parts;

    /// <summary>The parts; at least one.</summary>
    public IReadOnlyList<object> Parts => _parts ?? [];

    /// <inheritdoc/>
    public bool Equals(RecordKey other) => Parts.SequenceEqual(other.Parts);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is RecordKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Parts.Aggregate(0, HashCode.Combine);

    /// <summary>The parts as text, joined by a comma.</summary>
    public override string ToString() => string.Join(",", Parts);

    /// <summary>Whether two keys are equal.</summary>
    public static bool operator ==(RecordKey left, RecordKey right) => left.Equals(right);

    /// <summary>Whether two keys differ.</summary>
    public static bool operator !=(RecordKey left, RecordKey right) => !left.Equals(right);
}
