using System.Numerics;
using System.Runtime.InteropServices;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Tells whether the items of a round still bring anything new, compared byte for byte with those seen before in the round. It uses a fixed
/// amount of memory (I8), small enough for the processor's cache. It may mistake a new item for one already seen, but not a hundred pages
/// of them, and starts over after half a million. One thread at a time.
/// </summary>
internal sealed class RoundNews
{
    private const int Size = 1 << 20;

    private ulong[]? _seen;
    private int _count;

    /// <summary>A hash of an item: equal items have the same.</summary>
    public static ulong HashOf(ReadOnlySpan<byte> item)
    {
        const ulong Prime = 0x9E3779B97F4A7C15;
        var hash = (ulong)item.Length * Prime;
        var words = MemoryMarshal.Cast<byte, ulong>(item);
        foreach (var word in words)
            hash = BitOperations.RotateLeft((hash ^ word) * Prime, 29);
        foreach (var rest in item[(words.Length * sizeof(ulong))..])
            hash = BitOperations.RotateLeft((hash ^ rest) * Prime, 29);
        return (hash ^ (hash >> 32)) * Prime;
    }

    /// <summary>Notes an item. Returns whether it is new.</summary>
    public bool Note(ulong hash)
    {
        _seen ??= new ulong[Size / 64];
        ref var word = ref _seen[(hash >> 40) & (Size / 64 - 1)];
        var bit = 1UL << (int)(hash >> 34);
        if ((word & bit) != 0)
            return false;
        if (++_count > Size / 2)
            Forget();
        word |= bit;
        return true;
    }

    /// <summary>Starts over: all items are new again.</summary>
    public void Forget()
    {
        _seen?.AsSpan().Clear();
        _count = 0;
    }
}
