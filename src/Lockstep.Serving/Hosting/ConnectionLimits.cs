using System.Net;

namespace Lockstep.Serving.Hosting;

/// <summary>How many connections a server holds. A client beyond that is asked to retry later (503) and disconnected.</summary>
public sealed record ConnectionLimits
{
    /// <summary>In total; at least 1, default 2,048. Fewer if the process may not open that many files.</summary>
    public int Most { get; init; } = 2_048;

    /// <summary>
    /// From one address; at least 1, default 1,024. All clients behind a proxy share its address. IPv6 addresses count by their /64, which
    /// may belong to one machine.
    /// </summary>
    public int MostPerAddress { get; init; } = 1_024;

    /// <summary>
    /// Files that are still opened besides connections: tables, databases, and the program's own libraries. A library that cannot be loaded
    /// when first needed stays missing.
    /// </summary>
    internal const int FilesBesides = 64;

    /// <summary>The fewest connections that make a server worthwhile.</summary>
    private const int Fewest = 8;

    /// <summary>Connections beyond the limit that are answered, so that health checks still work; further ones are reset.</summary>
    internal const int Spare = 32;

    /// <summary>These limits, or what the process may still open if that is less.</summary>
    /// <param name="filesLeft">How many more files it may open; null for any number.</param>
    /// <param name="asked">The requested address, for an error.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is below 1.</exception>
    /// <exception cref="ListenException">It may open so few files that it would fail once clients connect.</exception>
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
