using System.Net;

namespace Lockstep.Serving.Hosting;

/// <summary>Whether a connection has a place within the limits.</summary>
internal enum Admission
{
    /// <summary>There is a place.</summary>
    Within,

    /// <summary>There is none, and the connection gets an answer that says so.</summary>
    Excess,

    /// <summary>There is not even room for that answer.</summary>
    Refused,
}

/// <summary>Counts the connections of a server, together and by address. Thread-safe.</summary>
internal sealed class ConnectionCount(ConnectionLimits limits)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<IPAddress, int> _byAddress = [];
    private int _count;

    /// <summary>Counts a connection; unless it is refused, call <see cref="Left"/> with the same client later.</summary>
    public Admission Came(IPAddress client)
    {
        lock (_gate)
        {
            if (_count >= limits.Most + ConnectionLimits.Spare)
                return Admission.Refused;
            var same = _byAddress.GetValueOrDefault(client);
            if (same >= limits.MostPerAddress + ConnectionLimits.Spare)
                return Admission.Refused;
            _count++;
            _byAddress[client] = same + 1;
            return _count > limits.Most || same >= limits.MostPerAddress ? Admission.Excess : Admission.Within;
        }
    }

    /// <summary>A counted connection has ended.</summary>
    public void Left(IPAddress client)
    {
        lock (_gate)
        {
            _count--;
            if (--_byAddress[client] == 0)
                _byAddress.Remove(client);
        }
    }
}
