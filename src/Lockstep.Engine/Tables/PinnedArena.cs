using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Pinned memory filled from one end, which SQLite reads in place. It grows by pieces, so that growing copies nothing and frees nothing. A
/// place in it is the number of the piece and the offset in it; an append never crosses pieces. Filled by one thread, then read by any.
/// </summary>
internal sealed class PinnedArena
{
    private const int PieceShift = 22;
    private const int PieceSize = 1 << PieceShift;
    private const int FirstPiece = 64 * 1024;

    /// <summary>How far behind the place of an append something may start and still have a place in the same piece.</summary>
    public const int MostBefore = PieceSize / 4;

    private const int CacheLine = 64;

    /// <summary>The length beyond which the processor prefetches on its own.</summary>
    private const int MostPrefetched = 4 * CacheLine;

    private readonly List<byte[]> _pieces = [GC.AllocateUninitializedArray<byte>(FirstPiece, pinned: true)];
    private int _piece;
    private int _position;
    private int _capacity = FirstPiece;

    /// <summary>How many bytes have been appended.</summary>
    public long Used { get; private set; }

    /// <summary>Empties the arena, but keeps its memory, so that the system need not clear it again.</summary>
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
    /// Moves bytes from their place before <see cref="Clear"/> to the end. As long as moves follow the order of the appends, whatever is
    /// left out, bytes land at or before their old place, so that nothing still to be moved is overwritten.
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

    /// <summary>Moves on to a piece with room for this many bytes. A record larger than a piece gets its own.</summary>
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
        // Places cannot express anything beyond the piece's nominal size, so a larger record fills its piece.
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
