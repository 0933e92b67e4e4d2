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

    private readonly ulong[] _noted = new ulong[128];
    private ulong[]? _seen;
    private int _count;
    private int _unseen;
    private bool _hasNews;

    /// <summary>A hash of an item: equal items have the same.</summary>
    public static ulong HashOf(ReadOnlySpan<byte> item)
    {
        const ulong Prime = 0x9E3779B97F4A7C15;
        var hash = (ulong)item.Length * Prime;
        var words = MemoryMarshal.Cast<byte, ulong>(item);
        // The processor works on several lanes at once.
        ulong second = 1,
            third = 2,
            fourth = 3;
        for (; words.Length >= 4; words = words[4..])
        {
            hash = Mix(hash, words[0]);
            second = Mix(second, words[1]);
            third = Mix(third, words[2]);
            fourth = Mix(fourth, words[3]);
        }

        hash = Mix(Mix(Mix(hash, second), third), fourth);
        foreach (var word in words)
            hash = Mix(hash, word);
        foreach (var rest in item[(item.Length & ~(sizeof(ulong) - 1))..])
            hash = Mix(hash, rest);
        return (hash ^ (hash >> 32)) * Prime;

        static ulong Mix(ulong hash, ulong word) => BitOperations.RotateLeft((hash ^ word) * Prime, 29);
    }

    /// <summary>Notes an item.</summary>
    public void Note(ulong hash)
    {
        // Many are looked up together: the processor then waits for memory once instead of each time.
        _noted[_unseen++] = hash;
        if (_unseen == _noted.Length)
            LookUp();
    }

    /// <summary>Whether any item noted since the last call is new.</summary>
    public bool TakeNews()
    {
        LookUp();
        var hasNews = _hasNews;
        _hasNews = false;
        return hasNews;
    }

    private void LookUp()
    {
        _seen ??= new ulong[Size / 64];
        foreach (var hash in _noted.AsSpan(0, _unseen))
        {
            ref var word = ref _seen[(hash >> 40) & (Size / 64 - 1)];
            var bit = 1UL << (int)(hash >> 34);
            if ((word & bit) != 0)
                continue;
            _hasNews = true;
            if (++_count > Size / 2)
                Forget();
            word |= bit;
        }

        _unseen = 0;
    }

    /// <summary>Starts over: all items are new again.</summary>
    public void Forget()
    {
        _seen?.AsSpan().Clear();
        _count = 0;
    }
}
