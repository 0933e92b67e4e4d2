using System.Buffers;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// What was read from a peer and is not yet a whole line. It grows with a long line and shrinks after it; the total above the minimum, over
/// all buffers of the process, is bounded, so that many peers that start a long line and never end it do not fill the memory. One user at a
/// time.
/// </summary>
/// <param name="all">The shared bound; null for the process-wide one.</param>
internal sealed class PeerBuffer(PeerBuffer.Budget? all = null) : IDisposable
{
    private const int Least = GossipSession.BatchBytes;
    private readonly Budget _all = all ?? Budget.OfProcess;
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(Least);

    /// <summary>How much has been read that is not yet a whole line.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Room to read into, at least one byte.</summary>
    /// <exception cref="GossipProtocolException">There is already too much.</exception>
    public Memory<byte> Room()
    {
        if (Length == _bytes.Length)
        {
            _all.Take(_bytes.Length);
            Replace(_bytes.Length * 2);
        }

        return _bytes.AsMemory(Length);
    }

    public void Advance(int read) => Length += read;

    /// <summary>Drops what has been processed from the start.</summary>
    public void Drop(int taken)
    {
        _bytes.AsSpan(taken, Length - taken).CopyTo(_bytes);
        Length -= taken;
        if (_bytes.Length > Least && Length < Least)
        {
            var before = _bytes.Length;
            Replace(Least);
            _all.Give(before - _bytes.Length);
        }
    }

    public void Dispose()
    {
        Drop(Length);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
    }

    private void Replace(int size)
    {
        // Rented arrays are powers of two, so each buffer counts its size above the minimum.
        var other = ArrayPool<byte>.Shared.Rent(size);
        Written.CopyTo(other);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = other;
    }

    /// <summary>How many bytes several buffers may have above the minimum. Any thread.</summary>
    public sealed class Budget(long most)
    {
        /// <summary>How many bytes the unfinished lines of all streams of the process may take up together.</summary>
        public const long MaxBytes = 256L << 20;

        private long _taken;

        public static Budget OfProcess { get; } = new(MaxBytes);

        public void Take(int bytes)
        {
            if (Interlocked.Add(ref _taken, bytes) > most)
            {
                Give(bytes);
                throw new GossipProtocolException("The unfinished lines of all peers together are too long.");
            }
        }

        public void Give(int bytes) => Interlocked.Add(ref _taken, -bytes);
    }
}
