using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Records on their way from a parser to the table, in order of arrival: their bytes are in one pinned arena, which SQLite reads in place.
/// Filled by one thread, then handed on.
/// </summary>
internal sealed class RecordBatch
{
    /// <summary>The entries grow by blocks, so that growing copies nothing.</summary>
    private const int BlockShift = 15;
    private const int BlockSize = 1 << BlockShift;
    private const int FirstBlock = 256;

    /// <summary>How many records ahead are prefetched.</summary>
    private const int Ahead = 64;

    /// <summary>The size in bytes from which folding pays off.</summary>
    private const int FirstFold = 12 * 1024 * 1024;

    private readonly PinnedArena _arena = new();
    private RecordEntry[][] _blocks = [new RecordEntry[FirstBlock]];
    private bool _ordersRise;
    private long _foldsAt;

    public RecordBatch(KeyLayout layout, OrderKind orderKind, bool coalesce) => Reset(layout, orderKind, coalesce);

    /// <summary>Empties the batch for reuse, but keeps its memory, so that the system need not clear it again.</summary>
    public void Reset(KeyLayout layout, OrderKind orderKind, bool coalesce)
    {
        Layout = layout;
        OrderKind = orderKind;
        IsCoalesced = coalesce;
        IsAscending = _ordersRise = true;
        HasTombstones = HasParents = HasPatches = false;
        Count = 0;
        _foldsAt = FirstFold;
        _arena.Clear();
    }

    /// <summary>Whether only the newest version of each key is to be applied.</summary>
    public bool IsCoalesced { get; private set; }

    public KeyLayout Layout { get; private set; }

    public OrderKind OrderKind { get; private set; }

    /// <summary>How many records have arrived.</summary>
    public int Count { get; private set; }

    /// <summary>Whether any of them is a tombstone.</summary>
    public bool HasTombstones { get; private set; }

    /// <summary>Whether one of them deletes all records whose keys begin with its own: then they are applied in order of arrival.</summary>
    public bool HasParents { get; private set; }

    /// <summary>Whether a record may have only the changed fields.</summary>
    public bool HasPatches { get; private set; }

    /// <summary>The bytes of the records.</summary>
    public long ArenaUsed => _arena.Used;

    /// <summary>The average size of a record with its key and order value.</summary>
    public int AverageBytes => (int)Math.Min(int.MaxValue, _arena.Used / Math.Max(1, Count));

    /// <summary>The memory that the records take, in bytes.</summary>
    public long MemoryUsed => _arena.Used + ((long)Count * Unsafe.SizeOf<RecordEntry>());

    /// <summary>Whether the records arrived in key order, no key twice, so that waiting for more and sorting gains nothing.</summary>
    public bool IsAscending { get; private set; } = true;

    /// <summary>A record by arrival, from 0.</summary>
    public ref RecordEntry this[int index] => ref _blocks[index >> BlockShift][index & (BlockSize - 1)];

    /// <summary>The bytes of a range; pinned.</summary>
    public ReadOnlySpan<byte> Bytes(int start, int length) => _arena.Bytes(start, length);

    public ReadOnlyMemory<byte> Memory(int start, int length) => _arena.Memory(start, length);

    public ReadOnlySpan<byte> Key(in RecordEntry entry) => Bytes(entry.KeyStart, entry.KeyLength);

    public ReadOnlySpan<byte> Order(in RecordEntry entry) => Bytes(entry.KeyStart, entry.KeyLength + entry.OrderLength)[entry.KeyLength..];

    public ReadOnlySpan<byte> Body(in RecordEntry entry) => Bytes(entry.BodyStart, entry.BodyLength);

    /// <summary>Adds a copy of a record, whose key must have the batch's layout.</summary>
    [MethodImpl(HotCode.Options)]
    public void Add(in RoutedRecord record)
    {
        var key = record.EncodedKey;
        var order = record.OrderText;
        var body = record.Json;
        var routing = key.Length + order.Length;
        // Places reach only the first megabytes of a piece: after a key or order value of megabytes, the body cannot have a place.
        var isTogether = routing <= PinnedArena.MostBefore;
        var start = _arena.Append(isTogether ? routing + body.Length : routing);
        var bodyStart = isTogether ? start + routing : _arena.Append(body.Length);
        var target = _arena.Bytes(start, routing);
        key.CopyTo(target);
        order.CopyTo(target[key.Length..]);
        body.CopyTo(_arena.Bytes(bodyStart, body.Length));

        if (Count > 0)
            CompareWithLast(record);
        HasTombstones |= record.IsDeleted;
        HasParents |= record.IsOfParent;
        HasPatches |= record.IsPatch;
        ref var entry = ref NewEntry();
        entry.IntegerKey = record.IntegerKey;
        entry.IntegerOrder = record.IntegerOrder;
        entry.TransactionId = record.TransactionId ?? 0;
        entry.KeyStart = start;
        entry.KeyLength = key.Length;
        entry.OrderLength = order.Length;
        entry.BodyStart = bodyStart;
        entry.BodyLength = body.Length;
        entry.Flags =
            (record.IsDeleted ? EntryFlags.Deleted : 0)
            | (record.OrderIsText ? EntryFlags.OrderIsText : 0)
            | (record.TransactionId is not null ? EntryFlags.HasTransactionId : 0)
            | (record.IsPatch ? EntryFlags.Patch : 0)
            | (record.IsOfParent ? EntryFlags.Parent : 0);
    }

    /// <summary>Drops all but this many of the first records.</summary>
    public void Truncate(int count) => Count = count;

    /// <summary>Whether a record has an entry's key.</summary>
    public bool HasKey(in RecordEntry entry, in RoutedRecord record) =>
        Layout == KeyLayout.Integer ? record.IntegerKey == entry.IntegerKey : record.EncodedKey.SequenceEqual(Key(entry));

    /// <summary>Replaces a record's body, keeping its key and order value.</summary>
    public void ReplaceBody(int index, ReadOnlySpan<byte> body) => ReplaceBody(ref this[index], body);

    /// <inheritdoc cref="ReplaceBody(int, ReadOnlySpan{byte})"/>
    public void ReplaceBody(ref RecordEntry entry, ReadOnlySpan<byte> body)
    {
        var at = _arena.Append(body.Length);
        body.CopyTo(_arena.Bytes(at, body.Length));
        entry.BodyStart = at;
        entry.BodyLength = body.Length;
    }

    /// <summary>
    /// Drops versions superseded by newer ones of their keys, once there may be enough of them: what is written stays the same, and takes
    /// less memory until then. The rest keeps its order.
    /// </summary>
    /// <returns>The memory that the records now take, as <see cref="MemoryUsed"/>.</returns>
    public long FoldWhenWorthIt()
    {
        var used = MemoryUsed;
        if (used < _foldsAt || !IsCoalesced || IsAscending)
            return used;
        // If it found few, it checks again later than usual.
        _foldsAt = Math.Max(FirstFold, Fold() ? 2 * MemoryUsed : 4 * used);
        return MemoryUsed;
    }

    /// <summary>
    /// The newest version of each key by the rule of I3, in key order, which is the order of the table's pages: writing in this order
    /// touches each page once. Sorting finds older versions of a key several times as fast as looking up each record on arrival.
    /// </summary>
    /// <param name="places">At least <see cref="Count"/> long; receives the records' places.</param>
    /// <returns>How many there are.</returns>
    [MethodImpl(HotCode.Options)]
    public int NewestByKey(Span<int> places)
    {
        places = places[..Count];
        for (var i = 0; i < places.Length; i++)
            places[i] = i;
        if (IsAscending)
            return Count;

        var pooled = ArrayPool<ulong>.Shared.Rent(Count);
        var numbers = pooled.AsSpan(0, Count);
        Sort(numbers, places);
        var kept = 0;
        for (var i = 0; i < places.Length; i++)
        {
            if (i == 0 || numbers[i] != numbers[i - 1] || !HaveSameKey(places[kept - 1], places[i]))
            {
                places[kept++] = places[i];
            }
            else if (_ordersRise || CompareOrder(this[places[kept - 1]], this[places[i]]) <= 0)
            {
                places[kept - 1] = places[i];
            }
        }

        ArrayPool<ulong>.Shared.Return(pooled);
        return kept;
    }

    /// <summary>
    /// To be called for each of some places in turn: has the processor prefetch the records a few places ahead, which are scattered over
    /// memory. Otherwise waiting for them takes half the time of writing.
    /// </summary>
    /// <param name="places">The places in the order in which they are read.</param>
    /// <param name="at">The index of the next one to be read; only every <see cref="Ahead"/>-th has an effect.</param>
    [MethodImpl(HotCode.Options)]
    public unsafe void Prefetch(ReadOnlySpan<int> places, int at)
    {
        if (at % Ahead != 0 || !Sse.IsSupported)
            return;
        // First the entry, which says where the record is, then the record.
        foreach (var place in Stretch(places, at + (2 * Ahead)))
            Sse.Prefetch0(Unsafe.AsPointer(ref this[place]));
        foreach (var place in Stretch(places, at + Ahead))
        {
            ref var entry = ref this[place];
            _arena.Prefetch(entry.KeyStart, entry.KeyLength + entry.OrderLength + entry.BodyLength);
        }
    }

    /// <summary>Drops superseded versions, unless there are few; returns whether it did.</summary>
    [MethodImpl(HotCode.Options)]
    private bool Fold()
    {
        const int WordShift = 6;
        var places = ArrayPool<int>.Shared.Rent(Count);
        var newest = NewestByKey(places);
        if (newest > Count - (Count / 8))
        {
            ArrayPool<int>.Shared.Return(places);
            return false;
        }

        var kept = ArrayPool<ulong>.Shared.Rent((Count >> WordShift) + 1);
        var words = kept.AsSpan(0, (Count >> WordShift) + 1);
        words.Clear();
        foreach (var place in places.AsSpan(0, newest))
            words[place >> WordShift] |= 1UL << place;

        // Each moves towards the start, over what was moved or dropped before.
        _arena.Clear();
        Count = 0;
        for (var word = 0; word < words.Length; word++)
        {
            for (var bits = words[word]; bits != 0; bits &= bits - 1)
            {
                var entry = this[(word << WordShift) + BitOperations.TrailingZeroCount(bits)];
                var routing = entry.KeyLength + entry.OrderLength;
                var isTogether = entry.BodyStart == entry.KeyStart + routing;
                entry.KeyStart = _arena.Move(entry.KeyStart, isTogether ? routing + entry.BodyLength : routing);
                entry.BodyStart = isTogether ? entry.KeyStart + routing : _arena.Move(entry.BodyStart, entry.BodyLength);
                this[Count++] = entry;
            }
        }

        ArrayPool<int>.Shared.Return(places);
        ArrayPool<ulong>.Shared.Return(kept);
        return true;
    }

    private static ReadOnlySpan<int> Stretch(ReadOnlySpan<int> places, int start) =>
        start < places.Length ? places.Slice(start, Math.Min(Ahead, places.Length - start)) : [];

    /// <summary>Compares the order values of an entry and another value, given in the same form.</summary>
    public int CompareOrder(in RecordEntry entry, bool otherIsText, long otherInteger, ReadOnlySpan<byte> otherText)
    {
        if (OrderKind is OrderKind.Text or OrderKind.Arrival)
            return 0;
        var isText = (entry.Flags & EntryFlags.OrderIsText) != 0;
        if (!isText && !otherIsText)
            return entry.IntegerOrder.CompareTo(otherInteger);
        Span<byte> mine = stackalloc byte[20],
            others = stackalloc byte[20];
        var left = isText ? Order(entry) : Format(entry.IntegerOrder, mine);
        return DecimalText.Compare(left, otherIsText ? otherText : Format(otherInteger, others));
    }

    public OrderValue OrderOf(in RecordEntry entry)
    {
        if ((entry.Flags & EntryFlags.OrderIsText) == 0)
            return OrderValue.FromInteger(entry.IntegerOrder);
        var text = Order(entry);
        return OrderKind == OrderKind.Text ? OrderValue.FromText(Encoding.UTF8.GetString(text)) : OrderValue.FromNumber(text);
    }

    public RecordKey KeyOf(in RecordEntry entry) =>
        Layout == KeyLayout.Integer ? new RecordKey(entry.IntegerKey) : KeyEncoding.Read(Key(entry));

    private void CompareWithLast(in RoutedRecord record)
    {
        ref var last = ref this[Count - 1];
        IsAscending =
            IsAscending
            && (Layout == KeyLayout.Integer ? last.IntegerKey < record.IntegerKey : Key(last).SequenceCompareTo(record.EncodedKey) < 0);
        // Of opaque order values, the later one is the greater by definition.
        _ordersRise =
            _ordersRise
            && (
                OrderKind is OrderKind.Text or OrderKind.Arrival
                || (!record.OrderIsText && (last.Flags & EntryFlags.OrderIsText) == 0 && last.IntegerOrder <= record.IntegerOrder)
            );
    }

    private int CompareOrder(in RecordEntry entry, in RecordEntry other) =>
        CompareOrder(entry, (other.Flags & EntryFlags.OrderIsText) != 0, other.IntegerOrder, Order(other));

    /// <summary>Whether two records with equal sort numbers have the same key.</summary>
    private bool HaveSameKey(int index, int other) => Layout == KeyLayout.Integer || Key(this[index]).SequenceEqual(Key(this[other]));

    /// <summary>Sorts places by key, and those of the same key by arrival, together with the numbers that represent the keys.</summary>
    private void Sort(Span<ulong> numbers, Span<int> places)
    {
        var alike = Layout == KeyLayout.Integer ? 0 : CountAlike();
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = Layout == KeyLayout.Integer ? (ulong)this[i].IntegerKey ^ (1UL << 63) : FirstBytes(Key(this[i])[alike..]);
        KeySort.Sort(numbers, places);
        if (Layout == KeyLayout.Encoded)
            SortAlike(numbers, places);
    }

    /// <summary>The number of bytes that all keys have in common at the start: they say nothing about the order.</summary>
    private int CountAlike()
    {
        var alike = Key(this[0]);
        for (var i = 1; i < Count && !alike.IsEmpty; i++)
            alike = alike[..alike.CommonPrefixLength(Key(this[i]))];
        return alike.Length;
    }

    /// <summary>Compares keys with equal numbers in full.</summary>
    private void SortAlike(ReadOnlySpan<ulong> numbers, Span<int> places)
    {
        for (int start = 0, end; start < numbers.Length; start = end)
        {
            for (end = start + 1; end < numbers.Length && numbers[end] == numbers[start]; end++) { }

            if (end - start > 1)
            {
                places[start..end]
                    .Sort((a, b) => Key(this[a]).SequenceCompareTo(Key(this[b])) is var order and not 0 ? order : a.CompareTo(b));
            }
        }
    }

    private static ulong FirstBytes(ReadOnlySpan<byte> key)
    {
        if (key.Length >= sizeof(ulong))
            return BinaryPrimitives.ReadUInt64BigEndian(key);
        Span<byte> padded = stackalloc byte[sizeof(ulong)];
        padded.Clear();
        key.CopyTo(padded);
        return BinaryPrimitives.ReadUInt64BigEndian(padded);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref RecordEntry NewEntry()
    {
        var index = Count++;
        var block = index >> BlockShift;
        if (block >= _blocks.Length || (index & (BlockSize - 1)) >= _blocks[block].Length)
            AddBlock(block);
        return ref _blocks[block][index & (BlockSize - 1)];
    }

    /// <summary>Adds a block; the first one grows directly from a size for a few records to that of the others.</summary>
    private void AddBlock(int block)
    {
        if (block >= _blocks.Length)
            Array.Resize(ref _blocks, block + 1);
        var added = GC.AllocateUninitializedArray<RecordEntry>(BlockSize);
        if (block > 0)
            HugePages.Advise(MemoryMarshal.AsBytes<RecordEntry>(added));
        _blocks[block]?.CopyTo(added, 0);
        _blocks[block] = added;
    }

    private static ReadOnlySpan<byte> Format(long value, Span<byte> buffer)
    {
        Utf8Formatter.TryFormat(value, buffer, out var written);
        return buffer[..written];
    }
}
