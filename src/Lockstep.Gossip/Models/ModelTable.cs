using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Models;

/// <summary>
/// A model's updates by key. The key is found in the update's own text, so that an entry costs little more than its reference: a chained
/// hash table whose hash differs from process to process. It only grows. Not safe for concurrent use: a model calls it under its lock.
/// </summary>
internal sealed class ModelTable
{
    private readonly ArrayBufferWriter<byte> _wanted = new(64);
    private readonly ArrayBufferWriter<byte> _stored = new(64);
    private int[] _buckets = new int[16];
    private Entry[] _entries = new Entry[16];
    private int _count;

    /// <summary>All updates, in the order in which their keys first arrived.</summary>
    public IEnumerable<GossipUpdate> Updates => _entries.Take(_count).Select(static entry => entry.Update);

    /// <summary>The update of a key; null if there is none.</summary>
    public GossipUpdate? Find(string key)
    {
        _wanted.ResetWrittenCount();
        Encode(key, _wanted);
        var i = IndexOf(_wanted.WrittenSpan, Hash(_wanted.WrittenSpan));
        return i < 0 ? null : _entries[i].Update;
    }

    /// <summary>
    /// The slot of an update's key; if the key is new, it is added with this update, and <paramref name="isNew"/> is true. Valid until the
    /// next call.
    /// </summary>
    public ref GossipUpdate PlaceOf(GossipUpdate update, out bool isNew)
    {
        var key = KeyOf(update.Change.Span, _wanted);
        var hash = Hash(key);
        var i = IndexOf(key, hash);
        isNew = i < 0;
        if (isNew)
        {
            i = Add(update, hash);
        }

        return ref _entries[i].Update;
    }

    private int Add(GossipUpdate update, int hash)
    {
        if (_count == _entries.Length)
        {
            Grow();
        }

        ref var bucket = ref _buckets[hash & (_buckets.Length - 1)];
        _entries[_count] = new Entry
        {
            Update = update,
            Hash = hash,
            Next = bucket - 1,
        };
        bucket = ++_count;
        return _count - 1;
    }

    private int IndexOf(ReadOnlySpan<byte> key, int hash)
    {
        for (var i = _buckets[hash & (_buckets.Length - 1)] - 1; i >= 0; i = _entries[i].Next)
        {
            ref readonly var entry = ref _entries[i];
            if (entry.Hash == hash && KeyOf(entry.Update.Change.Span, _stored).SequenceEqual(key))
            {
                return i;
            }
        }

        return -1;
    }

    private void Grow()
    {
        Array.Resize(ref _entries, _count * 2);
        _buckets = new int[_entries.Length];
        for (var i = 0; i < _count; i++)
        {
            ref var entry = ref _entries[i];
            ref var bucket = ref _buckets[entry.Hash & (_buckets.Length - 1)];
            entry.Next = bucket - 1;
            bucket = i + 1;
        }
    }

    private static int Hash(ReadOnlySpan<byte> key)
    {
        var hash = default(HashCode);
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    /// <summary>The key in a valid change: usually as written, otherwise as <see cref="Encode"/> writes it.</summary>
    private static ReadOnlySpan<byte> KeyOf(ReadOnlySpan<byte> change, ArrayBufferWriter<byte> buffer)
    {
        var rest = change[1..];
        while (rest[0] <= ' ')
        {
            rest = rest[1..];
        }

        if (rest[0] == '"')
        {
            rest = rest[1..];
            var end = rest.IndexOfAny((byte)'"', (byte)'\\');
            if (rest[end] == '"')
            {
                return rest[..end];
            }
        }

        var reader = new Utf8JsonReader(change, GossipJson.ReaderOptions);
        reader.Read();
        reader.Read();
        buffer.ResetWrittenCount();
        Encode(GossipJson.ReadName(ref reader), buffer);
        return buffer.WrittenSpan;
    }

    /// <summary>
    /// UTF-8, with an unpaired surrogate, which JavaScript's strings may have, encoded as three bytes by its number: two keys are equal if
    /// their bytes are.
    /// </summary>
    private static void Encode(ReadOnlySpan<char> key, ArrayBufferWriter<byte> output)
    {
        while (!key.IsEmpty)
        {
            var status = Rune.DecodeFromUtf16(key, out var rune, out var used);
            var span = output.GetSpan(4);
            if (status == OperationStatus.Done)
            {
                output.Advance(rune.EncodeToUtf8(span));
            }
            else
            {
                span[0] = (byte)(0xe0 | (key[0] >> 12));
                span[1] = (byte)(0x80 | ((key[0] >> 6) & 0x3f));
                span[2] = (byte)(0x80 | (key[0] & 0x3f));
                output.Advance(3);
                used = 1;
            }

            key = key[used..];
        }
    }

    private struct Entry
    {
        public GossipUpdate Update;
        public int Hash;
        public int Next;
    }
}
