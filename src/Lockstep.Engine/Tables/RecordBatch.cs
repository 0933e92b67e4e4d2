using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>One record of a batch; its variable parts are ranges of the batch's arena.</summary>
internal struct RecordEntry
{
    public long IntegerKey;
    public long IntegerOrder;
    public long TransactionId;
    public int KeyStart;
    public int KeyLength;
    public int OrderStart;
    public int OrderLength;
    public int BodyStart;
    public int BodyLength;
    public int Arrival;
    public EntryFlags Flags;
}

[Flags]
internal enum EntryFlags : byte
{
    None = 0,
    Deleted = 1,
    OrderIsText = 2,
    HasTransactionId = 4,
}

/// <summary>
/// Records on their way from the parser to the table: their bytes in one pinned arena, so that SQLite reads them where they are.
/// With <c>coalesce</c> only the newest version of each key is kept, by the rule of I3. Filled by one thread, then handed on.
/// </summary>
internal sealed class RecordBatch
{
    private const int InitialEntries = 256;

    /// <summary>The arena grows by pieces of this size, so that growing copies nothing and leaves nothing behind. A place in it is the piece's number and the offset in the piece.</summary>
    private const int PieceShift = 22;
    private const int PieceSize = 1 << PieceShift;
    private const int FirstPiece = 64 * 1024;

    private readonly List<byte[]> _pieces = [];
    private RecordEntry[] _entries;
    private int[] _slots;
    private int _used;
    private int _piece;
    private int _position;
    private int _capacity;

    public RecordBatch(KeyLayout layout, OrderKind orderKind, bool coalesce)
    {
        _pieces.Add(GC.AllocateUninitializedArray<byte>(FirstPiece, pinned: true));
        _entries = new RecordEntry[InitialEntries];
        _slots = [];
        Reset(layout, orderKind, coalesce);
    }

    /// <summary>Empties the batch for other records; its memory is kept, which saves the system clearing it anew.</summary>
    public void Reset(KeyLayout layout, OrderKind orderKind, bool coalesce)
    {
        Layout = layout;
        OrderKind = orderKind;
        IsCoalesced = coalesce;
        IsAscending = true;
        Count = Added = _used = _piece = _position = 0;
        _capacity = _pieces[0].Length;
        if (coalesce && _slots.Length == 0) _slots = new int[InitialEntries * 2];
        Array.Clear(_slots);
    }

    public bool IsCoalesced { get; private set; }

    public KeyLayout Layout { get; private set; }

    public OrderKind OrderKind { get; private set; }

    /// <summary>How many records are kept.</summary>
    public int Count { get; private set; }

    /// <summary>How many records were added, those that a newer version replaced among them.</summary>
    public int Added { get; private set; }

    /// <summary>The memory that the records take, in bytes.</summary>
    public int ArenaUsed => _used;

    public Span<RecordEntry> Entries => _entries.AsSpan(0, Count);

    /// <summary>The bytes of a range; pinned.</summary>
    public ReadOnlySpan<byte> Bytes(int start, int length) => _pieces[start >> PieceShift].AsSpan(start & (PieceSize - 1), length);

    public ReadOnlyMemory<byte> Memory(int start, int length) => _pieces[start >> PieceShift].AsMemory(start & (PieceSize - 1), length);

    private Span<byte> Writable(int start, int length) => _pieces[start >> PieceShift].AsSpan(start & (PieceSize - 1), length);

    /// <summary>Adds the record that the parser has just read from <paramref name="json"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(RecordParser parser, ReadOnlySpan<byte> json)
    {
        var entry = new RecordEntry
        {
            IntegerKey = parser.IntegerKey,
            IntegerOrder = parser.IntegerOrder,
            TransactionId = parser.TransactionId ?? 0,
            Arrival = Added++,
            Flags = (parser.IsDeleted ? EntryFlags.Deleted : 0) | (parser.OrderIsText ? EntryFlags.OrderIsText : 0)
                | (parser.TransactionId is not null ? EntryFlags.HasTransactionId : 0),
        };
        ReadOnlySpan<byte> key = Layout == KeyLayout.Encoded ? parser.EncodedKey : default;
        ReadOnlySpan<byte> order = parser.OrderIsText ? parser.OrderText : default;
        ReadOnlySpan<byte> body = json.Slice(parser.Body.Start, parser.Body.Length);

        ref RecordEntry target = ref Place(ref entry, key, order, out bool replaces);
        if (Unsafe.IsNullRef(ref target)) return;

        // A newer version goes where the older one was when it fits, so that a key that changes all the time takes no more memory.
        int at = replaces && target.BodyLength >= body.Length ? target.BodyStart : Append(body.Length);
        body.CopyTo(Writable(at, body.Length));
        entry.BodyStart = at;
        entry.BodyLength = body.Length;
        if (replaces)
        {
            (entry.KeyStart, entry.KeyLength) = (target.KeyStart, target.KeyLength);
        }
        else
        {
            (entry.KeyStart, entry.KeyLength) = Store(key);
        }

        (entry.OrderStart, entry.OrderLength) = Store(order);
        target = entry;
        if (!replaces && IsAscending && Count > 1) IsAscending = Layout == KeyLayout.Integer && _entries[Count - 2].IntegerKey < entry.IntegerKey;
    }

    /// <summary>Gives a record another body, under the same key and order value.</summary>
    public void ReplaceBody(int index, ReadOnlySpan<byte> body)
    {
        int at = Append(body.Length);
        body.CopyTo(Writable(at, body.Length));
        _entries[index].BodyStart = at;
        _entries[index].BodyLength = body.Length;
    }

    /// <summary>The entries in the order of their keys, which is the order of the table's pages, as indexes into <see cref="Entries"/>.</summary>
    public ReadOnlySpan<int> OrderByKey()
    {
        int[] indexes = new int[Count];
        for (int i = 0; i < indexes.Length; i++) indexes[i] = i;
        if (Layout == KeyLayout.Integer)
        {
            // Sorting bare numbers beside indexes is several times as fast as sorting whole entries by a comparison.
            long[] keys = new long[Count];
            for (int i = 0; i < keys.Length; i++) keys[i] = _entries[i].IntegerKey;
            Array.Sort(keys, indexes);
        }
        else
        {
            Array.Sort(indexes, (a, b) => KeyBytes(a).SequenceCompareTo(KeyBytes(b)));
        }

        return indexes;
    }

    /// <summary>Whether the records have come in the order of their keys, so that nothing is won by waiting for more and sorting.</summary>
    public bool IsAscending { get; private set; } = true;

    /// <summary>Compares the order values of an entry and another value, given in the same form.</summary>
    public int CompareOrder(in RecordEntry entry, bool otherIsText, long otherInteger, ReadOnlySpan<byte> otherText)
    {
        if (OrderKind == OrderKind.Text) return 0;
        bool isText = (entry.Flags & EntryFlags.OrderIsText) != 0;
        if (!isText && !otherIsText) return entry.IntegerOrder.CompareTo(otherInteger);
        Span<byte> mine = stackalloc byte[20], others = stackalloc byte[20];
        ReadOnlySpan<byte> left = isText ? Bytes(entry.OrderStart, entry.OrderLength) : Format(entry.IntegerOrder, mine);
        return DecimalText.Compare(left, otherIsText ? otherText : Format(otherInteger, others));
    }

    public OrderValue OrderOf(in RecordEntry entry)
    {
        if ((entry.Flags & EntryFlags.OrderIsText) == 0) return OrderValue.FromInteger(entry.IntegerOrder);
        ReadOnlySpan<byte> text = Bytes(entry.OrderStart, entry.OrderLength);
        return OrderKind == OrderKind.Text ? OrderValue.FromText(Encoding.UTF8.GetString(text)) : OrderValue.FromNumber(text);
    }

    public RecordKey KeyOf(in RecordEntry entry) =>
        Layout == KeyLayout.Integer ? new RecordKey(entry.IntegerKey) : KeyEncoding.Read(Bytes(entry.KeyStart, entry.KeyLength));

    /// <summary>Finds where the record goes: a new place, the place of an older version, or none when a newer one is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ref RecordEntry Place(ref RecordEntry entry, ReadOnlySpan<byte> key, ReadOnlySpan<byte> order, out bool replaces)
    {
        replaces = false;
        if (!IsCoalesced) return ref NewEntry();

        int mask = _slots.Length - 1;
        int slot = Hash(entry.IntegerKey, key) & mask;
        while (_slots[slot] is var index and > 0)
        {
            ref RecordEntry stored = ref _entries[index - 1];
            if (stored.IntegerKey == entry.IntegerKey && (Layout == KeyLayout.Integer || Bytes(stored.KeyStart, stored.KeyLength).SequenceEqual(key)))
            {
                bool isText = (entry.Flags & EntryFlags.OrderIsText) != 0;
                if (CompareOrder(stored, isText, entry.IntegerOrder, order) > 0) return ref Unsafe.NullRef<RecordEntry>();
                replaces = true;
                return ref stored;
            }

            slot = (slot + 1) & mask;
        }

        ref RecordEntry added = ref NewEntry();
        _slots[slot] = Count;
        if (Count * 2 > _slots.Length) GrowSlots(ref entry, key);
        return ref added;
    }

    private ReadOnlySpan<byte> KeyBytes(int index) => Bytes(_entries[index].KeyStart, _entries[index].KeyLength);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref RecordEntry NewEntry()
    {
        if (Count == _entries.Length) Array.Resize(ref _entries, Count * 2);
        return ref _entries[Count++];
    }

    /// <summary>Doubles the hash table. The newest entry is not written yet, so its key comes with the call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void GrowSlots(ref RecordEntry newest, ReadOnlySpan<byte> newestKey)
    {
        _slots = new int[_slots.Length * 2];
        int mask = _slots.Length - 1;
        for (int i = 0; i < Count; i++)
        {
            bool isNewest = i == Count - 1;
            ref RecordEntry entry = ref isNewest ? ref newest : ref _entries[i];
            ReadOnlySpan<byte> key = isNewest ? newestKey : Bytes(entry.KeyStart, entry.KeyLength);
            int slot = Hash(entry.IntegerKey, key) & mask;
            while (_slots[slot] > 0) slot = (slot + 1) & mask;
            _slots[slot] = i + 1;
        }
    }

    private int Hash(long integer, ReadOnlySpan<byte> key)
    {
        if (Layout == KeyLayout.Integer) return (int)(((ulong)integer * 0x9E3779B97F4A7C15) >> 33);
        var hash = new HashCode();
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (int Start, int Length) Store(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return (0, 0);
        int at = Append(bytes.Length);
        bytes.CopyTo(Writable(at, bytes.Length));
        return (at, bytes.Length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Append(int length)
    {
        if (length > _capacity - _position) NextPiece(length);
        int at = (_piece << PieceShift) + _position;
        _position += length;
        _used += length;
        return at;
    }

    /// <summary>On to a piece with room for so many bytes. A record that is larger than a piece gets one of its own.</summary>
    private void NextPiece(int length)
    {
        _piece++;
        int size = Math.Max(length, _piece == 1 ? PieceSize / 4 : PieceSize);
        if (_piece == _pieces.Count)
        {
            _pieces.Add(GC.AllocateUninitializedArray<byte>(size, pinned: true));
        }
        else if (_pieces[_piece].Length < size)
        {
            _pieces[_piece] = GC.AllocateUninitializedArray<byte>(size, pinned: true);
        }

        _position = 0;
        // What lies beyond the piece's nominal size cannot be named as a place, so a larger record fills its piece.
        _capacity = Math.Max(length, Math.Min(size, PieceSize));
    }

    private static ReadOnlySpan<byte> Format(long value, Span<byte> buffer)
    {
        Utf8Formatter.TryFormat(value, buffer, out int written);
        return buffer[..written];
    }
}
