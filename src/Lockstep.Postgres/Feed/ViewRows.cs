using System.Runtime.InteropServices;

namespace Lockstep.Postgres.Feed;

/// <summary>What happened to a row of a view since it was last read.</summary>
internal enum RowChange
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It is new or different.</summary>
    Changed,

    /// <summary>Its key has already been seen in this round: the rows cannot be told apart.</summary>
    Duplicate,
}

/// <summary>
/// What a view showed when it was last read: for each key a digest of its row, and the label since which it has been that row; also removed
/// keys, as long as there is room for them. About 70 bytes a row. Used by one thread at a time.
/// </summary>
internal sealed class ViewRows
{
    private const int Gone = -1;
    private const int FewGone = 10_000;
    private const int ChunkBits = 10;
    private const int KeyChunk = 64 << 10;
    private const int None = -1;

    private readonly List<Entry[]> _entries = [];
    private readonly List<byte[]> _keys = [];
    private int[] _buckets = NewBuckets(1024);
    private int _count;
    private int _gone;
    private int _keyEnd = KeyChunk;
    private long _keyBytes;
    private int _round;

    /// <summary>How many rows there are.</summary>
    public int Count => _count - _gone;

    /// <summary>The memory this uses.</summary>
    public long Bytes => ((long)_entries.Count << ChunkBits) * Marshal.SizeOf<Entry>() + (_buckets.Length * 4L) + _keyBytes;

    /// <summary>The lowest label after which no removed key has been forgotten.</summary>
    public long Floor { get; private set; }

    /// <summary>Begins a round, in which each row is seen once.</summary>
    public void Begin() => _round++;

    /// <summary>Records a row.</summary>
    /// <param name="key">Its key, in canonical form.</param>
    /// <param name="digest">The digest of the whole row.</param>
    /// <param name="label">The label it gets if it has changed.</param>
    /// <param name="since">The label it now has.</param>
    public RowChange See(ReadOnlySpan<byte> key, UInt128 digest, long label, out long since)
    {
        var hash = HashOf(key);
        var at = Find(key, hash);
        since = label;
        if (at == None)
        {
            Add(key, hash, digest, label, _round);
            return RowChange.Changed;
        }

        ref var entry = ref At(at);
        if (entry.Round == _round)
            return RowChange.Duplicate;
        var wasGone = entry.Round == Gone;
        entry.Round = _round;
        if (!wasGone && entry.Digest == digest)
        {
            since = entry.Since;
            return RowChange.None;
        }

        if (wasGone)
            _gone--;
        (entry.Digest, entry.Since) = (digest, label);
        return RowChange.Changed;
    }

    /// <summary>Ends a round: rows not seen in it are gone.</summary>
    /// <param name="label">The label for those.</param>
    /// <param name="gone">Receives the key and label of every row that is gone, now or before.</param>
    public void End(long label, Action<ReadOnlySpan<byte>, long, bool> gone)
    {
        for (var i = 0; i < _count; i++)
        {
            ref var entry = ref At(i);
            if (entry.Round == _round)
                continue;
            var isNew = entry.Round != Gone;
            if (isNew)
            {
                (entry.Round, entry.Since, entry.Digest) = (Gone, label, 0);
                _gone++;
            }

            gone(KeyOf(entry), entry.Since, isNew);
        }

        if (_gone > Math.Max(FewGone, Count))
            Forget(label);
    }

    /// <summary>Forgets removed keys, except those that have just gone.</summary>
    private void Forget(long label)
    {
        var (entries, keys, count) = (_entries.ToArray(), _keys.ToArray(), _count);
        _entries.Clear();
        _keys.Clear();
        _buckets = NewBuckets(1024);
        (_count, _gone, _keyEnd, _keyBytes) = (0, 0, KeyChunk, 0);
        for (var i = 0; i < count; i++)
        {
            ref var entry = ref entries[i >> ChunkBits][i & ((1 << ChunkBits) - 1)];
            if (entry.Round == Gone && entry.Since < label)
            {
                Floor = Math.Max(Floor, entry.Since + 1);
                continue;
            }

            if (entry.Round == Gone)
                _gone++;
            Add(keys[entry.KeyChunk].AsSpan(entry.KeyAt, entry.KeyLength), entry.Hash, entry.Digest, entry.Since, entry.Round);
        }
    }

    private void Add(ReadOnlySpan<byte> key, int hash, UInt128 digest, long since, int round)
    {
        if (_count == _buckets.Length)
            Grow();
        if (_count >> ChunkBits == _entries.Count)
            _entries.Add(new Entry[1 << ChunkBits]);
        if (_keyEnd + key.Length > KeyChunk)
        {
            var chunk = new byte[Math.Max(KeyChunk, key.Length)];
            _keys.Add(chunk);
            (_keyEnd, _keyBytes) = (0, _keyBytes + chunk.Length);
        }

        key.CopyTo(_keys[^1].AsSpan(_keyEnd));
        ref var bucket = ref BucketOf(hash);
        At(_count) = new Entry
        {
            Digest = digest,
            Since = since,
            KeyChunk = _keys.Count - 1,
            KeyAt = _keyEnd,
            KeyLength = key.Length,
            Hash = hash,
            Next = bucket,
            Round = round,
        };
        bucket = _count++;
        _keyEnd += key.Length;
    }

    private void Grow()
    {
        _buckets = NewBuckets(_buckets.Length * 2);
        for (var i = 0; i < _count; i++)
        {
            ref var entry = ref At(i);
            ref var bucket = ref BucketOf(entry.Hash);
            (entry.Next, bucket) = (bucket, i);
        }
    }

    private int Find(ReadOnlySpan<byte> key, int hash)
    {
        for (var at = BucketOf(hash); at != None; at = At(at).Next)
        {
            ref var entry = ref At(at);
            if (entry.Hash == hash && KeyOf(entry).SequenceEqual(key))
                return at;
        }

        return None;
    }

    private ref Entry At(int index) => ref _entries[index >> ChunkBits][index & ((1 << ChunkBits) - 1)];

    private ref int BucketOf(int hash) => ref _buckets[hash & (_buckets.Length - 1)];

    private ReadOnlySpan<byte> KeyOf(in Entry entry) => _keys[entry.KeyChunk].AsSpan(entry.KeyAt, entry.KeyLength);

    private static int[] NewBuckets(int count)
    {
        var buckets = new int[count];
        buckets.AsSpan().Fill(None);
        return buckets;
    }

    /// <summary>Seeded at random per process, so that nobody can craft keys that collide.</summary>
    private static int HashOf(ReadOnlySpan<byte> key)
    {
        var hash = default(HashCode);
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    private struct Entry
    {
        public UInt128 Digest;
        public long Since;
        public int KeyChunk;
        public int KeyAt;
        public int KeyLength;
        public int Hash;
        public int Next;
        public int Round;
    }
}
