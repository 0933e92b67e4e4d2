using System.Net;
using System.Net.Sockets;
using Lockstep.Engine.Serving;

namespace Lockstep.Gossip.Peers;

/// <summary>
/// A listener's places for peers: a limit in total and one per address. If all are taken, a peer that has long been silent makes room. All
/// members may be called from any thread.
/// </summary>
internal sealed class PeerPlaces(GossipListenerOptions options)
{
    /// <summary>A peer that has been silent for this long makes room for another.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly HashSet<PeerPlace> _taken = [];

    /// <summary>The connections of the peers that have a place.</summary>
    public IReadOnlyList<Task> Connections
    {
        get
        {
            lock (_gate)
            {
                return [.. _taken.Select(static place => place.Connection)];
            }
        }
    }

    /// <summary>A place for a peer from an address; null if there is none.</summary>
    public PeerPlace? Take(IPAddress? address)
    {
        lock (_gate)
        {
            if (address is not null && _taken.Count(place => address.Equals(place.Address)) >= options.MaxPeersPerAddress)
            {
                return null;
            }

            if (_taken.Count >= options.MaxPeers)
            {
                var silent = _taken.MaxBy(static place => place.Silence)!;
                if (silent.Silence < Silence)
                {
                    return null;
                }

                _taken.Remove(silent);
                silent.Give();
            }

            var taken = new PeerPlace(address, options.TimeProvider, Leave);
            _taken.Add(taken);
            return taken;
        }
    }

    private void Leave(PeerPlace place)
    {
        lock (_gate)
        {
            _taken.Remove(place);
        }
    }

    /// <summary>A peer's address, IPv6 by its /64; null if unknown.</summary>
    public static IPAddress? AddressOf(Stream stream)
    {
        try
        {
            return ((stream as NetworkStream)?.Socket.RemoteEndPoint as IPEndPoint)?.Address is { } address
                ? ClientAddress.Of(address)
                : null;
        }
        catch (SocketException)
        {
            // It disconnected immediately.
            return null;
        }
    }
}

/// <summary>A peer's place at a listener. Disposed when the peer disconnects.</summary>
internal sealed class PeerPlace(IPAddress? address, TimeProvider time, Action<PeerPlace> leave) : IDisposable
{
    private readonly CancellationTokenSource _wanted = new();
    private long _heard = time.GetTimestamp();

    public IPAddress? Address => address;

    /// <summary>The connection to the peer.</summary>
    public Task Connection { get; set; } = Task.CompletedTask;

    /// <summary>Cancelled when another peer is to have the place.</summary>
    public CancellationToken Wanted => _wanted.Token;

    public TimeSpan Silence => time.GetElapsedTime(Volatile.Read(ref _heard));

    public void NoteHeard() => Volatile.Write(ref _heard, time.GetTimestamp());

    /// <summary>Makes the peer give up its place; only while it is still connected.</summary>
    public void Give() => _ = _wanted.CancelAsync();

    public void Dispose()
    {
        leave(this);
        _wanted.Dispose();
    }
}
