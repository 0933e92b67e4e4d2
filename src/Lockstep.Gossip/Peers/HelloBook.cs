using System.Net;
using Lockstep.Engine.Serving;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Peers;

/// <summary>
/// How often peers said hello within a minute: a hello costs them a line and this node all of its history, and a peer that comes again and
/// again is another peer each time. All members may be called from any thread.
/// </summary>
internal sealed class HelloBook
{
    /// <summary>How many from one address: a site with as many peers as may be connected, which all come again.</summary>
    public const int MostPerAddress = 1024;

    /// <summary>How many together.</summary>
    public const int Most = 8192;

    private static readonly TimeSpan Span = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<IPAddress, int> _said = [];
    private int _all;
    private long? _begun;

    /// <summary>Counts a hello.</summary>
    /// <param name="from">The peer's address; null if peers have none.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="GossipProtocolException">There were too many; this one ends its stream.</exception>
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
