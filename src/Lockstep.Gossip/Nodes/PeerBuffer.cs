using System.Buffers;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// What was read from a peer and is no whole line yet. It grows with a long line and is small again after it; what all of the process have
/// above the least is bounded, so that many who begin a long line and never end it do not fill the memory. One user at a time.
/// </summary>
/// <param name="all">What bounds it together with others; null for all of the process.</param>
internal sealed class PeerBuffer(PeerBuffer.Budget? all = null) : IDisposable
{
    private const int Least = GossipSession.BatchBytes;
    private readonly Budget _all = all ?? Budget.OfProcess;
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(Least);

    /// <summary>How much is read and no whole line.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Room to read into, at least a byte.</summary>
    /// <exception cref="GossipProtocolException">There is too much already.</exception>
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

    /// <summary>Lets go of what was taken, from the beginning.</summary>
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
        // Rented arrays are powers of two, so that what is counted for one is what it has more than the least.
        var other = ArrayPool<byte>.Shared.Rent(size);
        Written.CopyTo(other);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = other;
    }

    /// <summary>How many bytes several may have above the least. Any thread.</summary>
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
