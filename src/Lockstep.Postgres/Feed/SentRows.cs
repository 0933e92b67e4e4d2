using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Remembers the rows of the last poll, by digest. A replica does not reveal which transactions are in progress, so each poll of one reads
/// everything above the horizon again, and rows that the previous poll read need not be sent twice. One poll's rows suffice: whatever the
/// next poll reads again, this one has read.
/// </summary>
internal sealed class SentRows
{
    private HashSet<UInt128> _last = [];
    private HashSet<UInt128> _current = [];

    /// <summary>Begins a poll.</summary>
    public void Begin() => _current = [];

    /// <summary>Ends a poll whose rows were all sent.</summary>
    public void End() => _last = _current;

    /// <summary>Whether the last poll read the same version of the row.</summary>
    public bool IsRepeated(long txid, bool deleted, ReadOnlySpan<byte> data)
    {
        Span<byte> head = stackalloc byte[9];
        BinaryPrimitives.WriteInt64LittleEndian(head, txid);
        head[8] = deleted ? (byte)1 : (byte)0;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head);
        hash.AppendData(data);
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        var row = MemoryMarshal.Read<UInt128>(digest);
        _current.Add(row);
        return _last.Contains(row);
    }
}
