namespace Lockstep.Engine.Framing;

/// <summary>
/// The bytes of a stream from their arrival until they are taken: written after the last one, taken from the first one on. They move within
/// the array, or to a larger one, only to make free space; positions to be found again are counted from the first byte held.
/// </summary>
internal sealed class StreamBuffer
{
    private const int InitialCapacity = 256 * 1024;
    private const int SmallestRead = 16 * 1024;

    private byte[] _bytes = new byte[InitialCapacity];
    private long _offset;
    private int _start;
    private int _end;

    /// <summary>The count of bytes that have been written so far.</summary>
    public long Received => _offset + _end;

    /// <summary>The position in the stream of the first byte held.</summary>
    public long Offset => _offset + _start;

    public bool IsEmpty => _start == _end;

    /// <summary>The bytes held. They stay in place until free space is asked for.</summary>
    public ReadOnlySpan<byte> Held => _bytes.AsSpan(_start, _end - _start);

    /// <summary>Free space to write into; at least a few kilobytes.</summary>
    public Memory<byte> GetFreeMemory()
    {
        if (_start == _end)
        {
            _offset += _end;
            _start = _end = 0;
        }
        else if (_bytes.Length - _end < SmallestRead)
        {
            MakeRoom();
        }

        return _bytes.AsMemory(_end);
    }

    /// <summary>The beginning of the free space, where bytes may have been written that are not yet held.</summary>
    public ReadOnlySpan<byte> Written(int count) => _bytes.AsSpan(_end, count);

    /// <summary>Holds the bytes that were written into the free space.</summary>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - _end);
        _end += count;
    }

    /// <summary>Drops the first bytes.</summary>
    public void Consume(int count) => _start += count;

    private void MakeRoom()
    {
        var held = _end - _start;
        var target = _bytes;
        if (_bytes.Length - held < SmallestRead + (_bytes.Length / 4))
        {
            target = new byte[checked(_bytes.Length * 2)];
        }

        _bytes.AsSpan(_start, held).CopyTo(target);
        _bytes = target;
        _offset += _start;
        _start = 0;
        _end = held;
    }
}
