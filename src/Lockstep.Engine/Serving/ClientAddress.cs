using System.Net;
using System.Net.Sockets;

namespace Lockstep.Engine.Serving;

/// <summary>What counts as one client for limits per address.</summary>
internal static class ClientAddress
{
    /// <summary>An IPv4 address as it is; an IPv6 address by its /64, all of which may belong to one client.</summary>
    public static IPAddress Of(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            return address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            return address;
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }
}
