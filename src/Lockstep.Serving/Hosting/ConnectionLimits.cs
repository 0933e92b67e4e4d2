using System.Net;

namespace Lockstep.Serving.Hosting;

/// <summary>How many connections a server holds. Who comes beyond that is told to come back later (503), and is let go.</summary>
public sealed record ConnectionLimits
{
    /// <summary>Together; at least 1, default 2,048. Fewer where the process may not open so many files.</summary>
    public int Most { get; init; } = 2_048;

    /// <summary>
    /// From one address; at least 1, default 1,024. All clients behind a proxy have its address. IPv6 addresses count by their /64, which
    /// one machine has for itself.
    /// </summary>
    public int MostPerAddress { get; init; } = 1_024;

    /// <summary>
    /// Files that are still opened besides connections: tables, databases, and the program's own libraries, of which one that cannot be
    /// loaded when it is first needed would be missing for good.
    /// </summary>
    internal const int FilesBesides = 64;

    /// <summary>The fewest connections that are worth a server.</summary>
    private const int Fewest = 8;

    /// <summary>Connections beyond the limit that are answered, so that liveness can still be asked for; further ones are reset.</summary>
    internal const int Spare = 32;

    /// <summary>These limits, or what the process may still open if that is less.</summary>
    /// <param name="filesLeft">How many more files it may open; null for any number.</param>
    /// <param name="asked">Where it is to listen, for an error.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is below 1.</exception>
    /// <exception cref="ListenException">It may open so few that it would fail when clients come.</exception>
    internal ConnectionLimits Within(long? filesLeft, IPEndPoint asked)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Most, 1, nameof(Most));
        ArgumentOutOfRangeException.ThrowIfLessThan(MostPerAddress, 1, nameof(MostPerAddress));
        var room = filesLeft is { } files ? files - FilesBesides - Spare - (files / 8) : long.MaxValue;
        if (room < Fewest)
        {
            throw new ListenException(
                asked,
                $"The process may open only {filesLeft} more files, too few for a server.",
                "Allow more with 'ulimit -n', or LimitNOFILE of a service.",
                null
            );
        }

        return this with
        {
            Most = (int)Math.Min(Most, room),
        };
    }
}
