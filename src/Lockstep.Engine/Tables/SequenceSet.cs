namespace Lockstep.Engine.Tables;

/// <summary>
/// A set of a table's rows by sequence number, which is unique (I11). It has one bit per number assigned, so a million rows take about 125
/// KB. One thread at a time.
/// </summary>
/// <param name="highest">The highest number assigned.</param>
internal sealed class SequenceSet(long highest)
{
    /// <summary>The maximum memory (I8).</summary>
    private const int MostBytes = 16 * 1024 * 1024;

    private ulong[] _bits = [];

    /// <summary>Whether the set can contain a number.</summary>
    public bool CanHold(long sequence) => sequence > 0 && sequence <= highest && highest / 8 < MostBytes;

    /// <summary>Whether the set contains a number.</summary>
    public bool Contains(long sequence) =>
        _bits.Length > 0 && sequence > 0 && sequence <= highest && (_bits[sequence >> 6] & (1UL << (int)sequence)) != 0;

    /// <summary>Whether nothing is in it.</summary>
    public bool IsEmpty => Count == 0;

    /// <summary>How many numbers are in it.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a number for which <see cref="CanHold"/> is true.</summary>
    public void Add(long sequence)
    {
        if (_bits.Length == 0)
            _bits = new ulong[(highest >> 6) + 1];
        ref var bits = ref _bits[sequence >> 6];
        var bit = 1UL << (int)sequence;
        Count += (bits & bit) == 0 ? 1 : 0;
        bits |= bit;
    }

    /// <summary>Takes a number out, if it is in it.</summary>
    public void Remove(long sequence)
    {
        if (!Contains(sequence))
            return;
        _bits[sequence >> 6] &= ~(1UL << (int)sequence);
        Count--;
    }
}
