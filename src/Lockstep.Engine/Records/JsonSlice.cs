namespace Lockstep.Engine.Records;

/// <summary>What a JSON value is, by its first byte.</summary>
internal enum JsonKind : byte
{
    None = 0,
    String,
    Number,
    True,
    False,
    Null,
    Object,
    Array,
}

/// <summary>A value's place in the scanned bytes; of a string, without its quotes.</summary>
internal readonly record struct JsonSlice(JsonKind Kind, int Start, int Length, bool IsEscaped)
{
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> bytes) => bytes.Slice(Start, Length);
}
