namespace Lockstep.Engine.Tables;

/// <summary>
/// A set of a table's rows, by their sequence numbers: no two rows have the same one (I11). It has a bit for each number given, so that a
/// million rows take some 125 KB. One thread at a time.
/// </summary>
/// <param name="highest">The highest number given.</param>
internal sealed class SequenceSet(long highest)
{
    /// <summary>The most memory it takes (I8).</summary>
    private const int MostBytes = 16 * 1024 * 1024;

    private ulong[] _bits = [];

    /// <summary>Whether it can hold a number.</summary>
    public bool CanHold(long sequence) => sequence > 0 && sequence <= highest && highest / 8 < MostBytes;

    /// <summary>Whether a number is in it.</summary>
    public bool Contains(long sequence) =>
        _bits.Length > 0 && sequence > 0 && sequence <= highest && (_bits[sequence >> 6] & (1UL << (int)sequence)) != 0;

    /// <summary>Whether nothing is in it.</summary>
    public bool IsEmpty => Count == 0;

    /// <summary>How many numbers are in it.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a number that it can hold.</summary>
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
