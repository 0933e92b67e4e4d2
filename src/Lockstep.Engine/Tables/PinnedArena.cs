using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Pinned memory that is filled from one end, so that SQLite reads what is in it in place. It grows by pieces, so that growing copies
/// nothing and leaves nothing behind; a place in it is the piece's number and the offset in the piece, and one append lies in one piece.
/// Filled by one thread, then read by any.
/// </summary>
internal sealed class PinnedArena
{
    private const int PieceShift = 22;
    private const int PieceSize = 1 << PieceShift;
    private const int FirstPiece = 64 * 1024;

    /// <summary>Something that begins so far behind the place of what it was appended with still has a place in the same piece.</summary>
    public const int MostBefore = PieceSize / 4;

    private const int CacheLine = 64;

    /// <summary>What follows these, the processor prefetches by itself.</summary>
    private const int MostPrefetched = 4 * CacheLine;

    private readonly List<byte[]> _pieces = [GC.AllocateUninitializedArray<byte>(FirstPiece, pinned: true)];
    private int _piece;
    private int _position;
    private int _capacity = FirstPiece;

    /// <summary>How many bytes were appended.</summary>
    public long Used { get; private set; }

    /// <summary>Empties it; keeps its memory, so that the system need not clear it again.</summary>
    public void Clear()
    {
        Used = _piece = _position = 0;
        _capacity = _pieces[0].Length;
    }

    /// <summary>Reserves room at the end.</summary>
    /// <returns>Its place.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Append(int length)
    {
        if (length > _capacity - _position)
            NextPiece(length);
        var at = (_piece << PieceShift) + _position;
        _position += length;
        Used += length;
        return at;
    }

    /// <summary>
    /// Moves bytes from their place before <see cref="Clear"/> to the end. What is moved in the order in which it was appended lands at or
    /// before its own place, whatever is left out, so that nothing is overwritten that is still to be moved.
    /// </summary>
    /// <returns>Its new place.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Move(int start, int length)
    {
        var bytes = Bytes(start, length);
        var at = Append(length);
        bytes.CopyTo(Bytes(at, length));
        return at;
    }

    /// <summary>The bytes at a place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Bytes(int start, int length) => _pieces[start >> PieceShift].AsSpan(start & (PieceSize - 1), length);

    /// <summary>Has the processor prefetch the bytes at a place, or the first of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe void Prefetch(int start, int length)
    {
        if (!Sse.IsSupported)
            return;
        var first =
            (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_pieces[start >> PieceShift])) + (start & (PieceSize - 1));
        for (var i = 0; i < Math.Min(length, MostPrefetched); i += CacheLine)
            Sse.Prefetch0(first + i);
        Sse.Prefetch0(first + Math.Min(length, MostPrefetched) - 1);
    }

    public ReadOnlyMemory<byte> Memory(int start, int length) => _pieces[start >> PieceShift].AsMemory(start & (PieceSize - 1), length);

    /// <summary>Moves to a piece with room for this many bytes. A record larger than a piece gets one of its own.</summary>
    private void NextPiece(int length)
    {
        _piece++;
        var size = Math.Max(length, _piece == 1 ? PieceSize / 4 : PieceSize);
        if (_piece == _pieces.Count)
        {
            _pieces.Add(Allocate(size));
        }
        else if (_pieces[_piece].Length < size)
        {
            _pieces[_piece] = Allocate(size);
        }

        _position = 0;
        // Beyond the piece's nominal size no place can be expressed, so a larger record fills its piece.
        _capacity = Math.Max(length, Math.Min(size, PieceSize));
    }

    private static byte[] Allocate(int size)
    {
        var piece = GC.AllocateUninitializedArray<byte>(size, pinned: true);
        if (size >= PieceSize)
            HugePages.Advise(piece);
        return piece;
    }
}
