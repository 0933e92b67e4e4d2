using System.Net;
using Lockstep.Engine.Serving;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Peers;

/// <summary>
/// How many times peers said hello within a minute: a hello costs them a line and this node its whole history, and a peer that keeps
/// reconnecting is a different peer each time. All members may be called from any thread.
/// </summary>
internal sealed class HelloBook
{
    /// <summary>The limit per address: a site with as many peers as may be connected, all of which reconnect.</summary>
    public const int MostPerAddress = 1024;

    /// <summary>The limit for all together.</summary>
    public const int Most = 8192;

    private static readonly TimeSpan Span = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<IPAddress, int> _said = [];
    private int _all;
    private long? _begun;

    /// <summary>Counts a hello.</summary>
    /// <param name="from">The peer's address; null if peers have none.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="GossipProtocolException">There were too many; the exception ends the stream.</exception>
    public void Note(IPAddress? from, TimeProvider time)
    {
        var client = from is null ? null : ClientAddress.Of(from);
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_begun is not { } begun || time.GetElapsedTime(begun, now) >= Span)
            {
                _said.Clear();
                (_all, _begun) = (0, now);
            }

            var said = client is null ? 0 : _said.GetValueOrDefault(client);
            if (said >= MostPerAddress)
                throw new GossipProtocolException($"The peers of {client} said hello more than {MostPerAddress} times in a minute.");
            if (_all >= Most)
                throw new GossipProtocolException($"Peers said hello more than {Most} times in a minute.");
            _all++;
            if (client is not null)
                _said[client] = said + 1;
        }
    }
}
