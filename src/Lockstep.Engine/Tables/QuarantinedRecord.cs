namespace Lockstep.Engine.Tables;

/// <summary>A malformed stretch of a feed that was set aside. Immutable.</summary>
/// <param name="At">When it came.</param>
/// <param name="ByteOffset">Its offset in the body it came with.</param>
/// <param name="Reason">What is wrong with it.</param>
/// <param name="Bytes">Its bytes; of one above the maximum size, the first.</param>
public sealed record QuarantinedRecord(DateTimeOffset At, long ByteOffset, string Reason, ReadOnlyMemory<byte> Bytes);
